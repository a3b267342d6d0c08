/** A token, to be told from a string of the same letters. */
export class Token {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }
}

export type BareItem = number | boolean | string | Token

export interface Item {
  readonly value: BareItem
  readonly parameters: Readonly<Record<string, BareItem>>
}

/**
 * The items of a List without inner lists and byte sequences, step by step as RFC 8941 §4.2 parses it.
 *
 * @throws SyntaxError where that fails
 */
export function structuredList(field: string): Item[] {
  const input = { rest: field.replace(/^ +| +$/g, '') }
  const items: Item[] = []
  while (input.rest !== '') {
    items.push(itemOf(input))
    take(input, /^[ \t]*/)
    if (input.rest === '') break
    take(input, /^,[ \t]*/)
    if (input.rest === '') throw new SyntaxError('a comma at the end')
  }
  return items
}

interface Input {
  rest: string
}

function itemOf(input: Input): Item {
  const value = bareItemOf(input)
  const parameters: Record<string, BareItem> = {}
  while (input.rest.startsWith(';')) {
    take(input, /^; */)
    const name = take(input, /^[a-z*][a-z0-9_.*-]*/)
    if (input.rest.startsWith('=')) {
      take(input, /^=/)
      parameters[name] = bareItemOf(input)
    } else {
      parameters[name] = true
    }
  }
  return { value, parameters }
}

function bareItemOf(input: Input): BareItem {
  const first = input.rest.charAt(0)
  if (first === '"') return stringOf(input)
  if (first === '?') return take(input, /^\?[01]/) === '?1'
  if (first === '-' || (first >= '0' && first <= '9')) {
    const digits = take(input, /^-?[0-9]+/)
    if (digits.replace('-', '').length > 15) throw new SyntaxError(`too many digits: ${digits}`)
    return Number(digits)
  }
  return new Token(take(input, /^[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*/))
}

function stringOf(input: Input): string {
  take(input, /^"/)
  let text = ''
  for (;;) {
    const letter = take(input, /^[\x20-\x7e]/)
    if (letter === '"') return text
    text += letter === '\\' ? take(input, /^["\\]/) : letter
  }
}

function take(input: Input, expected: RegExp): string {
  const found = expected.exec(input.rest)?.[0]
  if (found === undefined) throw new SyntaxError(`${expected} does not match ${JSON.stringify(input.rest)}`)
  input.rest = input.rest.slice(found.length)
  return found
}

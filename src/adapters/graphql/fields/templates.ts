import {
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLSchema,
  type GraphQLType,
  getNullableType,
  isAbstractType,
  isInputObjectType,
  isInterfaceType,
  isLeafType,
  isListType,
  isObjectType,
  isUnionType,
} from 'graphql'
import type { ResolvedField } from './options.ts'
import { membersOf } from './values.ts'

/** The text of a tag with places in it that are filled for each value. */
export interface Template {
  /** The tags of this value: one, or one for each member of the list in it; none where something of it is null. */
  fill(field: ResolvedField): readonly string[]
}

/** The field that a template is of. */
export interface TemplateField {
  readonly schema: GraphQLSchema
  /** The type that the field is of. */
  readonly parent: GraphQLType
  readonly field: Pick<GraphQLField<unknown, unknown>, 'type' | 'args'>
}

/** A name, or each member of a list. */
type Step = { readonly name: string; readonly mayLack: boolean } | '[]'

interface Placeholder {
  readonly source: 'args' | 'parent' | 'result'
  readonly path: readonly Step[]
}

const PLACEHOLDER = /\{([^{}]*)\}/g
const PATH = /^(args|parent|result)((?:\[\])*(?:\.[_A-Za-z]\w*(?:\[\])*)*)$/

/** @throws TypeError for a text that no value of the field could fill; it says why */
export function templateOf(text: string, about: TemplateField): Template {
  if (/[{}]/.test(text.replace(PLACEHOLDER, ''))) throw new TypeError(`"${text}" has a brace without its other one`)
  const placeholders = [...text.matchAll(PLACEHOLDER)].map(([, inside = '']) => placeholderOf(inside, about))
  if (placeholders.filter(({ path }) => path.includes('[]')).length > 1) {
    throw new TypeError(`"${text}" has more than one list in it: give tags as a function`)
  }
  const texts = text.split(PLACEHOLDER).filter((_, i) => i % 2 === 0)
  return {
    fill(field) {
      let tags = [texts[0] ?? '']
      for (const [i, { source, path }] of placeholders.entries()) {
        const values = valuesAt(field[source], path, 0)
        tags = tags.flatMap((tag) => values.map((value) => `${tag}${value}${texts[i + 1]}`))
      }
      return tags
    },
  }
}

function placeholderOf(inside: string, about: TemplateField): Placeholder {
  const [, source, rest = ''] = PATH.exec(inside) ?? []
  if (source !== 'args' && source !== 'parent' && source !== 'result') {
    throw new TypeError(`{${inside}} is none of {args.…}, {parent.…} and {result.…}`)
  }
  const steps = rest.match(/\[\]|\w+/g) ?? []
  const path: Step[] = []
  let type: GraphQLType | undefined =
    source === 'args' ? undefined : source === 'parent' ? about.parent : about.field.type
  for (const step of steps) {
    const refuse = (reason: string) => new TypeError(`{${inside}}: ${reason}`)
    const list: GraphQLType | undefined = type === undefined ? undefined : getNullableType(type)
    if (step === '[]') {
      if (list === undefined || !isListType(list)) throw refuse(`${type ?? 'args'} is no list: leave out the []`)
      type = list.ofType
      path.push('[]')
      continue
    }
    if (isListType(list)) throw refuse(`${type} is a list: write [] behind it`)
    const next: GraphQLType | undefined =
      type === undefined ? argument(about.field.args, step) : memberOf(type, step, about)
    if (next === undefined) throw refuse(`there is no ${step} in ${type ?? 'args'}`)
    path.push({ name: step, mayLack: type === undefined || isAbstractType(getNullableType(type)) || source === 'args' })
    type = next
  }
  const leaf = type === undefined ? undefined : getNullableType(type)
  if (isListType(leaf)) throw new TypeError(`{${inside}} is ${type}, a list: write [] behind it`)
  if (leaf === undefined || !isLeafType(leaf)) {
    throw new TypeError(`{${inside}} is ${type ?? 'all arguments'}, not a text or a number: name a field of it`)
  }
  return { source, path }
}

function argument(args: readonly GraphQLArgument[], name: string): GraphQLType | undefined {
  return args.find((arg) => arg.name === name)?.type
}

function memberOf(type: GraphQLType, name: string, { schema }: TemplateField): GraphQLType | undefined {
  const given = getNullableType(type)
  if (isInputObjectType(given) || isObjectType(given) || isInterfaceType(given)) return given.getFields()[name]?.type
  if (!isUnionType(given)) return undefined
  for (const member of schema.getPossibleTypes(given)) {
    const field = member.getFields()[name]
    if (field !== undefined) return field.type
  }
  return undefined
}

/** The values at the end of the path; none where something on the way is null. @throws TypeError for what is no text or number */
function valuesAt(value: unknown, path: readonly Step[], at: number): readonly string[] {
  if (value === null || value === undefined) return []
  const step = path[at]
  if (step === undefined) return [textOf(value)]
  if (step === '[]') {
    const members = membersOf(value)
    if (members === undefined) throw new TypeError('a list was expected')
    return members.flatMap((member) => valuesAt(member, path, at + 1))
  }
  const { name, mayLack } = step
  const member = (value as Record<string, unknown>)[name]
  if (member === undefined && !mayLack) throw new TypeError(`an object without ${name} was found`)
  return valuesAt(member, path, at + 1)
}

function textOf(value: unknown): string {
  if (
    typeof value === 'string' ||
    typeof value === 'number' ||
    typeof value === 'bigint' ||
    typeof value === 'boolean'
  ) {
    return String(value)
  }
  throw new TypeError(`a text or a number was expected, not ${typeof value}`)
}

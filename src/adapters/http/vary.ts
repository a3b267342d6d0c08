/**
 * The `Vary` field with more names in it (RFC 9110 §12.5.5), each once and as it was first spelled; `*` takes the place
 * of all. `''` where there is no name at all.
 */
export function varyOf(before: string | null, names: readonly string[]): string {
  const found = new Map<string, string>()
  for (const part of [before ?? '', ...names].join().split(',')) {
    const name = part.trim()
    const id = name.toLowerCase()
    if (name !== '' && !found.has(id)) found.set(id, name)
  }
  return found.has('*') ? '*' : [...found.values()].join(', ')
}

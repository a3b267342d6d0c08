/**
 * Names of the keys and channels of one namespace. An entry and its flight share a hash tag, so a cluster slot; so do the
 * two keys of a tag, and those of a group.
 */
export interface Names {
  entry(id: string): string
  flight(id: string): string
  /** Of a tag: the ids that may have an entry with it. */
  index(tag: string): string
  /** Of a tag: when it was invalidated, and by whom its index may be deleted. */
  state(tag: string): string
  /** Of a group: its tickets by their order. */
  queue(group: string): string
  /** Of a group: its tickets by when their lease ends. */
  leases(group: string): string
  readonly clock: string
  /** Channel of one instance's inbox; scripts add the instance themselves, so it is also the prefix of all. */
  inbox(instanceId: string): string
  readonly bus: string
  /** A pattern for SCAN that all keys above match, and others may. */
  readonly pattern: string
  /** What a key of the database is, if it is one of these. */
  read(key: string): { readonly id: string } | { readonly tag: string } | undefined
}

export function namesOf(namespace: string): Names {
  const ids = `${namespace}:{`
  const tags = `${namespace}:tag:{`
  const groups = `${namespace}:group:{`
  return {
    entry: (id) => `${ids}${escapeId(id)}}`,
    flight: (id) => `${ids}${escapeId(id)}}${FLIGHT}`,
    index: (tag) => `${tags}${escapeId(tag)}}${INDEX}`,
    state: (tag) => `${tags}${escapeId(tag)}}:state`,
    queue: (group) => `${groups}${escapeId(group)}}:queue`,
    leases: (group) => `${groups}${escapeId(group)}}:leases`,
    clock: `${namespace}:clock`,
    inbox: (instanceId) => `${namespace}:inbox:${instanceId}`,
    bus: `${namespace}:bus`,
    pattern: `${namespace.replace(/[\\*?[\]^-]/g, '\\$&')}:*`,
    read(key) {
      const close = key.indexOf('}')
      const rest = key.slice(close + 1)
      if (key.startsWith(ids) && (rest === '' || rest === FLIGHT))
        return { id: unescapeId(key.slice(ids.length, close)) }
      if (key.startsWith(tags) && rest === INDEX) return { tag: unescapeId(key.slice(tags.length, close)) }
      return undefined
    },
  }
}

const FLIGHT = ':flight'
const INDEX = ':entries'

/**
 * Braces in an id would move the hash tag, and an empty tag is none: entry and flight would be in different slots, and
 * clients route such keys differently from servers.
 */
function escapeId(id: string): string {
  if (id === '') return '%'
  return UNSAFE.test(id) ? id.replace(/[%{}]/g, encodeURIComponent) : id
}

function unescapeId(text: string): string {
  return text === '%' ? '' : text.replace(/%(?:25|7B|7D)/g, decodeURIComponent)
}

const UNSAFE = /[%{}]/

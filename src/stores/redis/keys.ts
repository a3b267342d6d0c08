/** Names of the keys and channels of one namespace. An entry and its flight share a hash tag, so a cluster slot. */
export interface Names {
  entry(id: string): string
  flight(id: string): string
  /** Channel of one instance's inbox; scripts add the instance themselves, so it is also the prefix of all. */
  inbox(instanceId: string): string
  readonly bus: string
}

export function namesOf(namespace: string): Names {
  return {
    entry: (id) => `${namespace}:{${escapeId(id)}}`,
    flight: (id) => `${namespace}:{${escapeId(id)}}:flight`,
    inbox: (instanceId) => `${namespace}:inbox:${instanceId}`,
    bus: `${namespace}:bus`,
  }
}

/**
 * Braces in an id would move the hash tag, and an empty tag is none: entry and flight would be in different slots, and
 * clients route such keys differently from servers.
 */
function escapeId(id: string): string {
  if (id === '') return '%'
  return UNSAFE.test(id) ? id.replace(/[%{}]/g, encodeURIComponent) : id
}

const UNSAFE = /[%{}]/

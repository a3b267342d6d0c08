import { isUtf8 } from 'node:buffer'
import type { Cluster, Redis } from 'ioredis'
import type { Session } from '../../core/store.ts'
import { unreachable } from './connection.ts'
import type { Names } from './keys.ts'
import type { Wiring } from './wiring.ts'

/** So many keys, roughly, are in one page. */
const PAGE = 1000

/** Lists what a namespace has, server by server; `next` is where to go on: a cursor, its server, and the servers after it. */
export function listing({ client, clustered, send, masters }: Wiring, names: Names): Session['list'] {
  return async (at) => {
    const [cursor = '0', address, ...others] = at?.split(' ') ?? ['0', ...(await send(addresses))]
    const [next, keys] = await send(() => serverAt(address).scanBuffer(cursor, 'MATCH', names.pattern, 'COUNT', PAGE))
    const ids = new Set<string>()
    const tags = new Set<string>()
    for (const key of keys) {
      const read = isUtf8(key) ? names.read(String(key)) : undefined
      if (read === undefined) continue
      if ('id' in read) ids.add(read.id)
      else tags.add(read.tag)
    }
    const rest = String(next) === '0' ? others : [address, ...others]
    const place = [String(next), ...rest].join(' ')
    return { ids: [...ids], tags: [...tags], ...(rest.length === 0 ? {} : { next: place }) }
  }

  /** Of all servers that have keys. */
  async function addresses(): Promise<readonly string[]> {
    return clustered ? (await masters()).map(addressOf) : ['']
  }

  function serverAt(address: string | undefined): Redis {
    if (!clustered) return client as Redis
    const node = (client as Cluster).nodes().find((one) => addressOf(one) === address)
    if (node === undefined) throw unreachable(`${address} is not in the cluster any more`)
    return node
  }
}

function addressOf({ options }: Redis): string {
  return `${options.host}:${options.port}`
}

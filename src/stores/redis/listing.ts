import { isUtf8 } from 'node:buffer'
import type { Session } from '../../core/store.ts'
import type { Names } from './keys.ts'
import type { Wiring } from './wiring.ts'

/** So many keys, roughly, are in one page. */
const PAGE = 1000

/** Lists what a namespace has, server by server; `next` is where to go on: a cursor, its server, and the servers after it. */
export function listing({ send, masters, serverNamed }: Wiring, names: Names): Session['list'] {
  return async (at) => {
    const [cursor = '0', server = '', ...others] = at?.split(' ') ?? ['0', ...(await send(serverNames))]
    const scan = () => serverNamed(server).client.scanBuffer(cursor, 'MATCH', names.pattern, 'COUNT', PAGE)
    const [next, keys] = await send(scan)
    const ids = new Set<string>()
    const tags = new Set<string>()
    for (const key of keys) {
      const read = isUtf8(key) ? names.read(String(key)) : undefined
      if (read === undefined) continue
      if ('id' in read) ids.add(read.id)
      else tags.add(read.tag)
    }
    const rest = String(next) === '0' ? others : [server, ...others]
    const place = [String(next), ...rest].join(' ')
    return { ids: [...ids], tags: [...tags], ...(rest.length === 0 ? {} : { next: place }) }
  }

  async function serverNames(): Promise<readonly string[]> {
    return (await masters()).map(({ name }) => name)
  }
}

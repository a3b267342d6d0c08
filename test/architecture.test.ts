import { readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { describe, expect, test } from 'vitest'

const SRC = new URL('../src/', import.meta.url)

/** What each room may import: other rooms, and packages. Node's own modules are free to all. */
const ROOMS: Record<string, { rooms: readonly string[]; packages: readonly string[] }> = {
  core: { rooms: ['core'], packages: ['devalue', 'lru-cache'] },
  'stores/memory': { rooms: ['core', 'stores/memory'], packages: ['lru-cache'] },
  'stores/redis': { rooms: ['core', 'stores/redis'], packages: ['ioredis'] },
  'adapters/http': { rooms: ['core', 'adapters/http'], packages: [] },
  'adapters/graphql': {
    rooms: ['core', 'adapters/http', 'adapters/graphql'],
    packages: ['graphql', 'graphql-yoga', '@envelop/core', 'lru-cache'],
  },
  'adapters/trpc': {
    rooms: ['core', 'adapters/http', 'adapters/trpc'],
    packages: ['@trpc/server', '@trpc/server/rpc', 'lru-cache'],
  },
  'index.ts': { rooms: ['core', 'stores/memory'], packages: [] },
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => file.endsWith('.ts'))

function roomOf(file: string): string | undefined {
  return Object.keys(ROOMS).find((room) => file === room || file.startsWith(`${room}/`))
}

function importsOf(file: string): string[] {
  const source = readFileSync(new URL(file, SRC), 'utf8')
  return [...source.matchAll(/^(?:import|export)\b[^'"]*?from '([^']+)'/gms)].map(([, from]) => from as string)
}

describe('the house', () => {
  test.each(files)('%s stands in a room, and imports what that may', (file) => {
    const room = ROOMS[roomOf(file) ?? '']
    expect(room, 'a file outside of all rooms').toBeDefined()
    const strangers = importsOf(file).filter((from) => {
      if (from.startsWith('node:')) return false
      if (!from.startsWith('.')) return !room?.packages.includes(from)
      return !room?.rooms.includes(roomOf(posix.join(posix.dirname(file), from)) ?? '')
    })
    expect(strangers).toEqual([])
  })

  test('has imports that are seen', () => {
    expect(files.length).toBeGreaterThan(30)
    expect(files.flatMap(importsOf).length).toBeGreaterThan(100)
  })
})

import { inParts } from '../../core/parts.ts'
import type { Session } from '../../core/store.ts'
import { batched } from './batch.ts'
import { expiryOf, wholeMs } from './durations.ts'
import type { Names } from './keys.ts'
import { refusalOf } from './refusal.ts'
import type { Scripts } from './scripts.ts'
import type { Wiring } from './wiring.ts'

/** So many tags are in one script. */
const TAGS_AT_ONCE = 100
/** So many members, roughly, are in one page: what is done with them keeps others waiting for as long as it takes. */
const PAGE = 100
/** ms: an epoch outlives every flight that was claimed before it. */
const EPOCH_LIFE = 24 * 60 * 60 * 1000

interface Listed {
  readonly id: string
  readonly tags: readonly string[]
  readonly life: string
}

/** The part of a session that is about tags. */
export function tagSteps(
  { clustered, send, sendOnce, serverOf, serverNamed }: Wiring,
  scripts: Scripts,
  names: Names,
): Pick<Session, 'index' | 'step' | 'mark' | 'members' | 'sweep'> {
  const index = batched<Listed, number>(
    { most: clustered ? 1 : TAGS_AT_ONCE, weigh: ({ tags }) => tags.length, defer: queueMicrotask },
    async (all) => {
      const keys = all.flatMap(({ tags }) => tags.flatMap((tag) => [names.index(tag), names.state(tag)]))
      const entries = all.map(({ id, tags, life }) => ({ id, life, tags: tags.length }))
      const replies = await send(() => scripts.index(keys, entries))
      return replies.map(([epoch, message]) => (message.length === 0 ? Number(epoch) : refusalOf(String(message))))
    },
  )

  return {
    async index(id, tags, life) {
      const parts = inParts(tags, clustered ? 1 : TAGS_AT_ONCE)
      const epochs = await Promise.all(parts.map((part) => index({ id, tags: part, life: expiryOf(life) })))
      return Math.max(0, ...epochs)
    },

    step: async () => Number(await send(() => scripts.clock(names.clock, 1))),

    async mark(tag, clock) {
      await sendOnce(() => scripts.mark(names.state(tag), String(clock), wholeMs(EPOCH_LIFE)))
    },

    async members(tag, at) {
      const key = names.index(tag)
      const [cursor = '0', name] = at?.split(' ') ?? []
      return send(async () => {
        const server = name === undefined ? serverOf(key) : serverNamed(name)
        // By cursor: ranks and scores change between two pages, and what they skip would be missed.
        const [next, found] = await server.client.zscanBuffer(key, cursor, 'COUNT', PAGE)
        const ids = found.filter((_, i) => i % 2 === 0).map(String)
        return String(next) === '0' ? { ids } : { ids, next: `${next} ${server.name}` }
      })
    },

    async sweep(tag, clock) {
      await send(() => scripts.sweep(names.index(tag), names.state(tag), String(clock)))
    },
  }
}

/**
 * Reads the clock of tags from the server that has it. All who ask while it is read get the same: an older clock than one's
 * own refuses more, never less.
 */
export function tagClock({ send }: Wiring, scripts: Scripts, names: Names): () => Promise<number> {
  let reading: Promise<number> | undefined

  async function read(): Promise<number> {
    try {
      return Number(await send(() => scripts.clock(names.clock, 0)))
    } finally {
      reading = undefined
    }
  }

  return () => {
    reading ??= read()
    return reading
  }
}

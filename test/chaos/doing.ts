import { AsyncLocalStorage } from 'node:async_hooks'
import type { CacheEvent } from '../../src/index.ts'
import { type EventRecord, monotonic } from './history.ts'
import type { Recorder } from './recorder.ts'

/** What a call is about: it goes with its async context, so also with the flight that it opens, and with the loader. */
export interface Doing {
  readonly call: number
  /** Of the flights that it leads, by key, each from the claim on. */
  readonly tokens: Map<string, string>
  /** Keys whose loader is about to run without a flight. */
  readonly alone: Set<string>
  /** Keys that are refreshed behind its answer. */
  readonly refreshed: Set<string>
  following: boolean
  /** It goes on for ever, and nobody waits for it. */
  readonly kept: boolean
}

export function newDoing(call: number, kept = false): Doing {
  return { call, tokens: new Map(), alone: new Set(), refreshed: new Set(), following: false, kept }
}

export const doing = new AsyncLocalStorage<Doing>()

/** Writes down those events that the checker judges by. */
export function listen(recorder: Recorder): (event: CacheEvent) => void {
  return (event) => {
    const now = doing.getStore()
    const record = recordOf(event, now)
    if (record === undefined && now?.following === true) {
      recorder.write({ type: 'event', name: 'wentOn', at: monotonic(), call: now.call })
    }
    if (now !== undefined) keepUp(now, event)
    if (record !== undefined) recorder.write(record)
  }
}

function keepUp(now: Doing, event: CacheEvent): void {
  now.following = event.type === 'follow'
  if (event.type === 'lead') now.tokens.set(event.key, event.token)
  if (event.type === 'alone') now.alone.add(event.key)
  if (event.type === 'refresh') now.refreshed.add(event.key)
}

function recordOf(event: CacheEvent, now: Doing | undefined): EventRecord | undefined {
  const at = monotonic()
  const call = now === undefined ? {} : { call: now.call }
  switch (event.type) {
    case 'lead':
    case 'follow':
    case 'followed':
      return { type: 'event', name: event.type, at, key: event.key, token: event.token, ...call }
    case 'alone':
    case 'refresh':
      return { type: 'event', name: event.type, at, key: event.key, ...call }
    case 'takeover':
      return { type: 'event', name: event.type, at, key: event.key, token: event.token, from: event.from, ...call }
    case 'publish':
    case 'share':
    case 'release':
    case 'fenced':
      return { type: 'event', name: event.type, at, key: event.key, token: event.token }
    case 'invalidate':
      if (!event.remote) return undefined
      return { type: 'event', name: event.type, at, keys: event.keys, tags: event.tags }
    case 'clear':
      return event.remote ? { type: 'event', name: event.type, at } : undefined
    case 'inbox':
    case 'breaker':
    case 'storeFault':
      return { type: 'event', name: event.type, at }
    default:
      return undefined
  }
}

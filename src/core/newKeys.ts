import { known, show, timer } from './checks.ts'

/**
 * How many keys that are made of what clients send one instance stores that were not there before, within a window. What comes after
 * that is computed, given to those who wait for it, and not stored; what is stored is answered, and replaced, as ever.
 */
export interface MaxNewKeys {
  /** Of one scope: a session, or everybody (`null`). 1 to 50,000. Default: any number. */
  perScope?: number | undefined
  /** Of one operation, procedure or field, for all scopes together. 1 to 50,000. Default: any number. */
  perOperation?: number | undefined
  /** ms, at least 1, after which it is counted anew. Default: 60,000. */
  window?: number | undefined
}

/** `MaxNewKeys`, complete and checked. */
export interface NewKeysSettings {
  readonly perScope: number
  readonly perOperation: number
  readonly window: number
}

/** On whose behalf an adapter asks. */
export interface Asker {
  /** `null` for everybody. */
  readonly scope: string | null
  readonly operation: string
}

/** Of what there are too many. */
export interface TooMany {
  readonly limit: 'perScope' | 'perOperation'
  readonly most: number
}

/** Counts the keys that are stored. */
export interface NewKeys {
  /** Counts one that is about to be stored; `undefined` where it may be. */
  refuse(id: string, asker: Asker): TooMany | undefined
}

/** So many ids one scope or operation may have. Four times as many are remembered in all, or at least those that were asked for last. */
const MAX_COUNTED = 50_000

/** @throws TypeError or RangeError that names the option, its bound and what was given */
export function newKeysSettings(options: MaxNewKeys): NewKeysSettings {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new TypeError(`maxNewKeys must be { perScope, perOperation, window }, got ${show(options)}`)
  }
  known('maxNewKeys', options, new Set(['perScope', 'perOperation', 'window']))
  const { perScope, perOperation, window = 60_000 } = options
  for (const [name, given] of Object.entries({ perScope, perOperation })) {
    if (given === undefined || (Number.isInteger(given) && given >= 1 && given <= MAX_COUNTED)) continue
    throw new RangeError(`maxNewKeys.${name} must be an integer from 1 to ${MAX_COUNTED}, got ${show(given)}`)
  }
  if (perScope === undefined && perOperation === undefined) {
    throw new TypeError('maxNewKeys needs perScope or perOperation: without either it bounds nothing')
  }
  return Object.freeze({
    perScope: perScope ?? Number.POSITIVE_INFINITY,
    perOperation: perOperation ?? Number.POSITIVE_INFINITY,
    window: timer('maxNewKeys.window', window),
  })
}

/** One that refuses nothing where there are no settings. */
export function createNewKeys(settings: NewKeysSettings | undefined): NewKeys {
  if (settings === undefined) return { refuse: () => undefined }
  const { perScope, perOperation, window } = settings
  /** The ids of each scope and operation; what was asked for least recently comes first. */
  const counted = new Map<string, Set<string>>()
  let size = 0
  let endsAt = 0

  function begin(): void {
    const now = performance.now()
    if (now < endsAt) return
    counted.clear()
    size = 0
    endsAt = now + window
  }

  /** What was asked for last comes last. */
  function idsOf(group: string): Set<string> | undefined {
    const ids = counted.get(group)
    if (ids !== undefined) {
      counted.delete(group)
      counted.set(group, ids)
    }
    return ids
  }

  function count(group: string, id: string): void {
    const ids = counted.get(group) ?? new Set()
    counted.set(group, ids)
    if (!ids.has(id)) size++
    ids.add(id)
  }

  /** Many at once. Never what was asked for last: of one scope and one operation there are no more than what is left. */
  function forget(): void {
    if (size <= 4 * MAX_COUNTED) return
    for (const [group, ids] of counted) {
      if (size <= 2 * MAX_COUNTED) return
      counted.delete(group)
      size -= ids.size
    }
  }

  return {
    refuse(id, { scope, operation }) {
      begin()
      const groups = [
        { limit: 'perScope', most: perScope, name: scope === null ? 'everybody' : `scope ${scope}` },
        { limit: 'perOperation', most: perOperation, name: `operation ${operation}` },
      ] as const
      const counting = groups.filter(({ most }) => most <= MAX_COUNTED)
      // Nothing is remembered of what is refused: there may be any number of it.
      const full = counting.find(({ name, most }) => {
        const ids = idsOf(name)
        return ids !== undefined && ids.size >= most && !ids.has(id)
      })
      if (full !== undefined) return { limit: full.limit, most: full.most }
      for (const { name } of counting) count(name, id)
      forget()
      return undefined
    },
  }
}

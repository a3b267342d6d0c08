import type {
  CallRecord,
  EndRecord,
  EventRecord,
  Fault,
  History,
  Lasts,
  LoadRecord,
  Outcome,
  ProcessRecord,
  Sighting,
  Value,
} from './history.ts'

/** Histories made by hand, for tests of the checker. Every record is given its instants; nothing else need be said. */

export interface Story {
  readonly [process: string]: readonly (ProcessRecord | readonly ProcessRecord[])[]
}

export interface Around {
  readonly faults?: readonly Fault[]
  readonly sightings?: readonly Sighting[]
  readonly complete?: boolean
  readonly killed?: Readonly<Record<string, number>>
  /** Default: 400 ms. */
  readonly lease?: number
  readonly limited?: true
  readonly kept?: true
  /** Of processes that have a memory tier. */
  readonly memory?: Readonly<Record<string, number>>
  readonly hurry?: number
}

/** `k` may have the tags `t` and `u`; `mine` is Alice's. */
export function historyOf(story: Story, around: Around = {}): History {
  const {
    faults = [],
    sightings = [],
    complete = true,
    killed = {},
    lease = 400,
    limited,
    kept,
    memory = {},
    hurry,
  } = around
  return {
    keys: {
      k: {
        scope: null,
        tags: ['t', 'u'],
        lease,
        ...(limited === undefined ? {} : { limited }),
        ...(kept === undefined ? {} : { kept }),
      },
      mine: { scope: 'alice', tags: [], lease },
    },
    processes: Object.entries(story).map(([name, records]) => {
      const killedAt = killed[name]
      const ttl = memory[name]
      return {
        name,
        records: records.flat() as ProcessRecord[],
        ...(killedAt === undefined ? {} : { killedAt }),
        ...(ttl === undefined ? {} : { memory: ttl }),
      }
    }),
    faults,
    sightings,
    complete,
    ...(hurry === undefined ? {} : { hurry }),
  }
}

let calls = 0

/** A call from `at` to `end`; `undefined`: it does not end. */
export function call(
  op: CallRecord['op'],
  at: number,
  end: number | undefined,
  outcome: Outcome,
  more: Partial<CallRecord> & Pick<Partial<EndRecord>, 'abortedAt'> = {},
): ProcessRecord[] {
  const { abortedAt, ...rest } = more
  const call = rest.call ?? ++calls
  const begun: CallRecord = { keys: ['k'], ...rest, type: 'call', op, call, at }
  if (end === undefined) return [begun]
  const over: EndRecord = { type: 'end', call, at: end, outcome }
  return [begun, abortedAt === undefined ? over : { ...over, abortedAt }]
}

export const FOR_EVER: Lasts = { ttl: null, staleWhileRevalidate: 0, staleIfError: 0 }

export const DONE: Outcome = { type: 'done' }
export const UNCONFIRMED: Outcome = { type: 'failed', allowed: true, error: 'UnconfirmedError: set' }

export function got(...values: (Value | null)[]): Outcome {
  return { type: 'got', values: values.map((value) => value?.id ?? null) }
}

/** Of the key `k`, with no tags, led under `T:<id>`. */
export function value(id: string, began: number, more: Partial<Value> = {}): Value {
  const made = { id, key: 'k', scope: null, kind: 'load', began, done: began, lasts: FOR_EVER } as const
  return { ...made, items: { k: 1 }, tags: [], token: `T:${id}`, ...more }
}

export function met(value: Value): ProcessRecord {
  return { type: 'value', value }
}

/** A direct set of this value, confirmed unless it is said. */
export function set(value: Value, at: number, end: number, outcome?: Outcome): ProcessRecord[] {
  const said = outcome ?? { type: 'got', values: ['yes'] }
  return [met(value), ...call('set', at, end, said, { sets: [value.id], versions: value.items })]
}

/** A run of a loader that led under `T:<run>`, and what was heard of its flight. */
export function run(
  name: string,
  at: number,
  loadedAt: number | undefined,
  heard: readonly EventRecord[] = [],
  { how = 'value', ...more }: Partial<LoadRecord> & { how?: 'value' | 'error' } = {},
): ProcessRecord[] {
  const begun: LoadRecord = {
    type: 'load',
    run: name,
    key: 'k',
    at,
    token: `T:${name}`,
    forced: false,
    ttl: null,
    ...more,
  }
  return loadedAt === undefined
    ? [begun, ...heard]
    : [begun, { type: 'loaded', run: name, at: loadedAt, how }, ...heard]
}

export function event(name: EventRecord['name'], at: number, more: Partial<EventRecord> = {}): EventRecord {
  return { type: 'event', name, at, ...more }
}

/** Nothing, but so late that all before it is over. */
export function still(at: number): ProcessRecord {
  return event('publish', at)
}

export function fault(kind: string, at: number, end: number, target = 'all', keys?: readonly string[]): Fault {
  return { kind, at, end, target, ...(keys === undefined ? {} : { keys }) }
}

export function sighting(value: Value, first: number, last: number, stamp = value.token ?? 'stamp'): Sighting {
  return { key: 'k', value, stamp, first, last }
}

import type { Row } from '../../test/load/scenario.ts'
import type { Table } from '../scenario.ts'
import { playAlone, playPolling } from './alternatives.ts'
import { type Burst, type Outcome, quantile } from './burst.ts'
import type { Compared, Pair } from './check.ts'
import { playFlights } from './flights.ts'
import { MAX_CLIENTS, type Rest, restOf } from './idle.ts'
import { type Parameters, parameterRows, sourceOf } from './parameters.ts'

export const INSTANCES = [10, 30, 100, 300, 1000, 3000, 10_000] as const
const MASTERS = [1, 3, 10, 30, 100] as const
const SMALL = 1000
const LARGE = 50_000
/** ms: all instances want it within half of what its loader takes. */
const LOADER = 200
const SPREAD = 100
/** Of a product list, say: many keys of one moment. */
const MANY = { keys: 1000, instances: [1, 3, 10, 30, 100], masters: [1, 10] } as const
const SLOW = {
  instances: [100, 1000, 10_000],
  loaders: [1000, 2000, 4000, 10_000, 20_000, 40_000],
  spread: 1000,
} as const
const SPREADS = [10, 30, 100, 300, 1000, 3000, 10_000] as const
/** Numbers of instances, a fifth apart from 10 to 10,000, at which it is looked whether something turns; at first at each so manieth. */
const STEPS = Array.from({ length: 38 }, (_, i) => Math.round(10 * 1000 ** (i / 37)))
const STRIDE = 6

/** Everything that is simulated, in the shape of what is measured. */
export function simulate(
  parameters: Parameters,
  instances: readonly number[],
  say: (line: string) => void,
): readonly Table[] {
  const table = (title: string, rows: () => Row[]): Table => {
    say(title)
    return { title, figures: rows() }
  }
  return [
    { title: sourceOf(parameters), figures: parameterRows(parameters) },
    table('one cold key of 1 KB', () => growth(parameters, instances, SMALL)),
    table('one cold key of 50 KB', () => growth(parameters, instances, LARGE)),
    table('other ways, one cold key of 1 KB on one server', () => otherWays(parameters, instances, SMALL)),
    table('other ways, one cold key of 50 KB on one server', () => otherWays(parameters, instances, LARGE)),
    table('a thousand cold keys of 1 KB', () => manyKeys(parameters)),
    table('loaders that take long, 1 KB on one server', () => slowLoaders(parameters)),
    table('10,000 instances within some time, 1 KB', () => spreads(parameters)),
    table('at rest', () => rest(parameters, instances)),
    table('where it turns: from how many instances on', () => turns(parameters)),
  ]
}

const BURST = { keys: 1, loader: LOADER, spread: SPREAD } as const

function growth(parameters: Parameters, instances: readonly number[], valueBytes: number): Row[] {
  return MASTERS.flatMap((masters) =>
    instances.map((count) => {
      const outcome = playFlights(parameters, { ...BURST, masters, instances: count, valueBytes })
      return { servers: nameOf(masters), instances: count, ...rowOf(outcome) }
    }),
  )
}

function otherWays(parameters: Parameters, instances: readonly number[], valueBytes: number): Row[] {
  const ways = { 'each loads': playAlone, 'polling, 50 ms': playPolling, atomcache: playFlights }
  return Object.entries(ways).flatMap(([way, play]) =>
    instances.map((count) => {
      const { 'between nodes (MB)': _, ...row } = rowOf(
        play(parameters, { ...BURST, masters: 1, instances: count, valueBytes }),
      )
      return { way, instances: count, ...row }
    }),
  )
}

function manyKeys(parameters: Parameters): Row[] {
  const { keys } = MANY
  return MANY.masters.flatMap((masters) =>
    MANY.instances.map((count) => {
      const outcome = playFlights(parameters, { ...BURST, keys, masters, instances: count, valueBytes: SMALL })
      return {
        servers: nameOf(masters),
        instances: count,
        'commands per key': outcome.commands / keys,
        ...rowOf(outcome),
      }
    }),
  )
}

function slowLoaders(parameters: Parameters): Row[] {
  return SLOW.instances.flatMap((count) =>
    SLOW.loaders.map((loader) => {
      const { spread } = SLOW
      const outcome = playFlights(parameters, {
        masters: 1,
        instances: count,
        keys: 1,
        valueBytes: SMALL,
        loader,
        spread,
      })
      return {
        instances: String(count),
        'loader (ms)': loader,
        claims: outcome.byKind.claim ?? 0,
        renewals: outcome.byKind.renew ?? 0,
        ...rowOf(outcome),
      }
    }),
  )
}

function spreads(parameters: Parameters): Row[] {
  return [1, 3, 30].flatMap((masters) =>
    SPREADS.map((spread) => {
      const burst = { ...BURST, masters, instances: 10_000, valueBytes: SMALL, spread }
      return { servers: nameOf(masters), 'within (ms)': spread, ...rowOf(playFlights(parameters, burst)) }
    }),
  )
}

function rest(parameters: Parameters, instances: readonly number[]): Row[] {
  return MASTERS.flatMap((masters) =>
    instances.map((count) => {
      const { commands, busMessages, busBytes, busy, connections } = restOf(parameters, masters, count)
      return {
        servers: nameOf(masters),
        instances: count,
        'commands (1/s)': commands,
        'messages between nodes (1/s)': busMessages,
        'between nodes (MB/s)': busBytes / 1e6,
        'each master busy (%)': busy * 100,
        'connections of each master': Math.ceil(connections),
      }
    }),
  )
}

/** For each kind of servers and values: the first number of instances at which it is so. */
function turns(parameters: Parameters): Row[] {
  return MASTERS.flatMap((masters) =>
    [SMALL, LARGE].map((valueBytes) => {
      const outcomes = new Map<number, Outcome>()
      const outcomeAt = (instances: number) => {
        const known = outcomes.get(instances)
        if (known !== undefined) return known
        const outcome = playFlights(parameters, { ...BURST, masters, instances, valueBytes })
        outcomes.set(instances, outcome)
        return outcome
      }
      const first = (isSo: (outcome: Outcome) => boolean) => firstOf((instances) => isSo(outcomeAt(instances)))
      const resting = (isSo: (rest: Rest) => boolean) =>
        firstOf((instances) => isSo(restOf(parameters, masters, instances)))
      return {
        servers: nameOf(masters),
        'value (KB)': valueBytes / 1000,
        'a second loader runs': first(({ runs }) => runs > 1),
        'p99 > 50 ms, as polling': first(({ latencies }) => quantile(latencies, 0.99) > 50),
        'p99 > the loader': first(({ latencies }) => quantile(latencies, 0.99) > LOADER),
        'busier than the loader takes': first(({ busy }) => busy > LOADER),
        'a network card busier than that': first(({ card }) => card > LOADER),
        'a tenth of a master at rest': resting(({ busy }) => busy > 0.1),
        'more connections than maxclients': resting(({ connections }) => connections > MAX_CLIENTS),
      }
    }),
  )
}

/** The first number of the steps for which it is so; what is so for it is so for greater ones. */
function firstOf(isSo: (instances: number) => boolean): string {
  let not = -1
  let so = 0
  while (!isSo(STEPS[so] as number)) {
    not = so
    if (so === STEPS.length - 1) return `> ${STEPS[so]}`
    so = Math.min(so + STRIDE, STEPS.length - 1)
  }
  while (so - not > 1) {
    const middle = (so + not) >> 1
    if (isSo(STEPS[middle] as number)) so = middle
    else not = middle
  }
  return String(STEPS[so])
}

function rowOf({ commands, runs, bytesIn, bytesOut, busBytes, busy, card, latencies }: Outcome) {
  return {
    commands,
    runs,
    'in (MB)': bytesIn / 1e6,
    'out (MB)': bytesOut / 1e6,
    'between nodes (MB)': busBytes / 1e6,
    'busiest master (ms)': busy,
    'busiest card (ms)': card,
    'p50 (ms)': numberOr(quantile(latencies, 0.5)),
    'p99 (ms)': numberOr(quantile(latencies, 0.99)),
  }
}

function numberOr(figure: number): number | string {
  return Number.isNaN(figure) ? '–' : figure
}

function nameOf(masters: Burst['masters']): string {
  return masters === 1 ? 'one server' : `${masters} masters`
}

/** What `--check` has compared: simulated / measured. */
export function comparedRows(compared: readonly Compared[]): Row[] {
  const pair = ({ simulated, measured }: Pair) => `${simulated} / ${measured}`
  const rounded = ({ simulated, measured }: Pair) =>
    Number.isNaN(simulated) ? '–' : `${simulated.toFixed(2)} / ${measured.toFixed(2)}`
  return compared.map((one) => ({
    processes: one.processes,
    instances: one.processes * one.caches,
    callers: one.callers,
    keys: one.keys,
    'value (bytes)': one.valueBytes,
    commands: pair(one.commands),
    'bytes in': pair(one.bytesIn),
    'bytes out': pair(one.bytesOut),
    'messages between nodes': pair(one.busMessages),
    'servers busy (ms)': rounded(one.busy),
    'follower p50 (ms)': rounded(one.latency),
  }))
}

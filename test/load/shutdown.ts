import { strict as assert } from 'node:assert'
import { startRedis } from '../redis/server.ts'
import { untilClear } from '../redis/untilClear.ts'
import type { Stream } from './clients.ts'
import { type Api, type Fleet, hear, now, startFleet, targetOf } from './fleet.ts'
import { expectAnswers, expectOneRunAtATime, heardOf, lostIn, runsOf } from './promises.ts'
import type { Figures, Row, Scenario } from './scenario.ts'

const ROUNDS = { short: 1, full: 5 }
/** Nobody may have to wait for it: a flight that is not handed over is seen at once. */
const LEASE = 60_000
/** ms; real ones are longer, which changes nothing. */
const GRACE = 300
const KEYS = Array.from({ length: 20 }, (_, i) => `hit ${i}`)
/** Computed by the one that ends, for longer than it has, while the other waits for it. */
const LONG = 'long'
/** Who waits for that, at each. */
const CALLERS = 5

export const shutdown: Scenario = {
  name: 'shutdown',
  says: 'One of two servers gets SIGTERM under load: no request is lost, and what it computes is handed over at once.',
  async run(size, say) {
    await using redis = await startRedis()
    const rows: Row[] = []
    for (let round = 1; round <= ROUNDS[size]; round++) {
      say(`${round} of ${ROUNDS[size]}`)
      rows.push(...(await play(redis.url, round)))
    }
    return rows
  },
}

/** The two of a kind that share what they compute. */
interface Pair {
  readonly ending: Api
  readonly staying: Api
}

async function play(redis: string, round: number): Promise<Figures> {
  const kinds = ['yoga', 'trpc', 'yoga', 'trpc'] as const
  await using fleet = await startFleet({ redis, kinds, cost: 20, cache: { leaseTtl: LEASE }, grace: GRACE })
  const [a, b, c, d] = fleet.apis as [Api, Api, Api, Api]
  const pairs: Pair[] = [
    { ending: a, staying: c },
    { ending: b, staying: d },
  ]
  await fleet.clients.call('play', pairs.flatMap(streamsOf))
  const all = [a, b, c, d].map(targetOf)
  await fleet.clients.call('answered', all, 20) // connections are there, and kept, by then
  const asked = await Promise.all(pairs.map((pair) => waitForLong(fleet, pair)))
  const told = now()
  const endOf = async ({ ending }: Pair) => {
    assert.equal(await fleet.end(ending), 0, `${ending.name} did not end by itself`)
    return now() - told
  }
  const answers = asked.map(({ answered }) => answered)
  const [took] = await Promise.all([Promise.all(pairs.map(endOf)), ...pairs.map(handedOver), ...answers])
  await fleet.clients.call('answered', [c, d].map(targetOf), 15) // alone
  const samples = await fleet.clients.call('stop')
  await hear(pairs.map(({ staying }) => staying))
  expectAnswers(samples)
  for (const { ending, staying } of pairs) for (const api of [ending, staying]) expectOneRunAtATime(api)
  return pairs.map(({ ending, staying }, i) => ({
    round,
    server: ending.kind,
    requests: samples.filter(({ target }) => target === ending.name || target === staying.name).length,
    lost: lostIn(samples).length,
    'handed over after (ms)': handover({ ending, staying }),
    'runs of what was handed over': runsOf(ending, LONG) + runsOf(staying, LONG),
    'ended after (ms)': Math.round(took[i] ?? Number.NaN),
  }))
}

/** What the two of a kind are asked, in turn: 80 requests a second. */
function streamsOf({ ending, staying }: Pair): Stream[] {
  const targets = [targetOf(ending), targetOf(staying)]
  return [
    { name: 'hit', targets, how: 'cached', keys: KEYS, every: 25, together: 1 },
    { name: 'miss', targets, how: 'cached', keys: 'new', every: 50, together: 2 },
  ]
}

/** Callers of both wait for what the one that is about to end computes; `answered` resolves with their answers. */
async function waitForLong(
  { clients }: Fleet,
  { ending, staying }: Pair,
): Promise<{ readonly answered: Promise<unknown> }> {
  await Promise.all([ending, staying].map(({ process }) => process.call('hold', LONG)))
  const first = clients.call('burst', [targetOf(ending)], LONG, CALLERS)
  await untilClear(async () => (runsOf(ending, LONG) === 1 ? undefined : 'no run'), `a run of ${ending.name}`)
  const from = now()
  const second = clients.call('burst', [targetOf(staying)], LONG, CALLERS)
  await untilClear(
    async () => (heardOf(staying, 'follow', from).length > 0 ? undefined : 'no follow'),
    `${staying.name} to wait`,
  )
  return { answered: Promise.all([first, second]) }
}

/** Whoever waits elsewhere computes it now, though the one that ends goes on with it for its own callers. */
async function handedOver({ ending, staying }: Pair): Promise<void> {
  await untilClear(async () => (runsOf(staying, LONG) === 1 ? undefined : 'no run'), `a run of ${staying.name}`)
  assert.equal(heardOf(staying, 'takeover').length, 0, 'a lease was waited for')
  await Promise.all([ending, staying].map(({ process }) => process.call('release', LONG)))
}

/** From giving it back to running it elsewhere. */
function handover({ ending, staying }: Pair): number {
  const released = heardOf(ending, 'release').find(({ reason }) => reason === 'closed')
  const run = staying.told.find(({ what }) => what.type === 'run' && what.key === LONG)
  assert(released !== undefined && run !== undefined, 'it was not handed over')
  return run.at - released.at
}

import { startRedis } from '../../test/redis/server.ts'
import { type CacheName, titleOf } from '../caches/names.ts'
import { startCallers } from '../callers.ts'
import { type Contender, profilesOfHits, shortened } from '../hits.ts'
import { effort, profilesOfServers } from '../http/contest.ts'
import { tableOfProfiles } from '../profiled.ts'
import { inTurn } from '../rounds.ts'
import { played, type Scenario, type Size, type Table } from '../scenario.ts'
import { fieldsQuestion, ITEMS } from './fields.ts'
import { graphqlQuestion, HAND, PEER, SIZES } from './graphql.ts'
import { CONTESTS, pipelined, plain } from './hits.ts'
import { CONTEST as IN_MEMORY } from './memory.ts'
import { HAND as HAND_IN_TRPC, trpcQuestion } from './trpc.ts'

/** Beside what is done by hand: in each table the best of those that are compared is among them. */
const OVER_REDIS = (['asyncCacheDedupe', 'cachified', 'redlock', 'atomcache'] as const).map(plain)
const MEMORY: readonly Contender[] = (['lruCache', 'cacheManager', 'atomcache'] as const).map((cache) => ({
  cache,
  use: { memory: true },
}))
const RUSHING: readonly CacheName[] = ['byHand', 'readFirstByHand', 'atomcache']

export const profile: Scenario = {
  name: 'profile',
  says: 'What processes do meanwhile, by a sampling profiler that itself takes a part of it: µs of a hit, or of a cold key.',
  async run(size, say) {
    const tables: Table[] = []
    say('hits')
    for (const contest of played(CONTESTS, size)) {
      const byHand = contest.base === titleOf('getByHand') ? plain('getByHand') : pipelined('getByHand')
      tables.push(await profilesOfHits(shortened({ ...contest, contenders: [byHand, ...OVER_REDIS] }, size)))
    }
    tables.push(await profilesOfHits(shortened({ ...IN_MEMORY, contenders: MEMORY }, size)))
    say('cold keys')
    tables.push(await profilesOfRush(size))
    for (const { size: bytes, first } of played(SIZES, size)) {
      const contest = graphqlQuestion(first, [PEER, HAND, 'atomcache', 'atomcache early'])
      tables.push(await profilesOfServers({ ...contest, ...effort(size) }, `GraphQL hits, ${bytes}`, say))
    }
    const trpc = trpcQuestion(38, [HAND_IN_TRPC, 'atomcache bytes', 'atomcache'])
    tables.push(await profilesOfServers({ ...trpc, ...effort(size) }, 'tRPC hits, 5 KB', say))
    const items = fieldsQuestion(ITEMS, 1_000, ['list by hand', 'list'])
    tables.push(await profilesOfServers({ ...items, ...effort(size, 100) }, 'Hits of a field of 1,000 list items', say))
    return { tables: tables.map((table) => ({ ...table, title: `Profile: ${table.title}` })), goals: [] }
  },
}

const RUSH = {
  short: { processes: 2, callersPerKey: 25, rounds: 3 },
  full: { processes: 4, callersPerKey: 250, rounds: 200 },
}

/** One cold key after another that all processes ask for in one moment: what they do together. */
async function profilesOfRush(size: Size): Promise<Table> {
  const { processes, callersPerKey, rounds } = RUSH[size]
  await using redis = await startRedis()
  const use = { redis: redis.url, ttl: 600_000, lease: 5000, patient: true }
  await using callers = await startCallers(processes, RUSHING, use)
  const rush = (cache: CacheName, name: string) =>
    callers.stampede({ cache, keys: [name], callersPerKey, loaderTime: 10 })
  for (const cache of RUSHING) {
    await callers.warm(cache)
    for (let i = 0; i < rounds / 10; i++) await rush(cache, `compiled-${cache}-${i}`)
  }
  const profiles = await inTurn(RUSHING, 1, async (cache) => {
    await Promise.all(callers.processes.map((one) => one.call('beginProfile')))
    for (let i = 0; i < rounds; i++) await rush(cache, `profiled-${cache}-${i}`)
    return Promise.all(callers.processes.map((one) => one.call('endProfile')))
  })
  const columns = RUSHING.map((cache) => ({
    title: titleOf(cache),
    profiles: (profiles.get(cache) ?? []).flat(),
    operations: rounds,
  }))
  return tableOfProfiles(`A cold key, ${processes} processes with ${callersPerKey} callers`, columns)
}

import { setTimeout as delay } from 'node:timers/promises'
import type { Country } from './countries.ts'
import type { DemoServer, Fleet } from './fleet.ts'
import { type Answer, burst, rename } from './load.ts'
import { ORIGIN_TIME, type Origin } from './origin.ts'
import { type Stage, seconds } from './stage.ts'

export interface Cast {
  readonly stage: Stage
  readonly fleet: Fleet
  readonly origin: Origin
  /** Whether each server is a process of its own. */
  readonly apart: boolean
}

/** Requests to each server in each scene. */
const EACH = 100
/** ms that all requests of a scene may need to arrive. */
const GATHERING = 4000

export async function coldKey({ stage, fleet, origin }: Cast): Promise<void> {
  stage.open(
    'A cold key',
    '400 requests at once, 100 to each server, for the countries of Europe. Nothing is cached yet.',
    'The Yoga servers are asked one GraphQL query, the tRPC server one procedure: two keys in all.',
  )
  const answers = await burst(fleet.servers, EACH, (client) => client.countries('Europe'))
  await stage.show(answers)
  checkRuns(
    stage,
    origin,
    2,
    ` for ${answers.length} requests: once per key. Without atomcache: ${answers.length} times`,
  )
  checkValues(stage, answers, origin.inRegion('Europe'))
  sayLatency(stage, answers, origin)
}

export async function warmKey({ stage, fleet, origin }: Cast): Promise<void> {
  stage.open('A warm key', 'The same 400 requests again.')
  const answers = await burst(fleet.servers, EACH, (client) => client.countries('Europe'))
  await stage.show(answers)
  checkRuns(stage, origin, 0, ': all answers came from the cache')
  checkValues(stage, answers, origin.inRegion('Europe'))
}

export async function invalidation({ stage, fleet, origin }: Cast): Promise<void> {
  stage.open(
    'An invalidation in the middle of a flight',
    '200 requests for one country: from here on all four servers share a key, made with cache.wrap().',
    'While the resolver runs, a mutation to another server renames the country and invalidates the key.',
    'Then 200 more requests: none of them may get the old name, though it is still being computed.',
  )
  const ask = () => burst(fleet.servers, EACH / 2, (client) => client.country('ISL'))
  const old = origin.countries.get('ISL') as Country
  origin.hold()
  const before = ask()
  const leader = await leaderAtWork(fleet, origin, EACH / 2)
  const other = fleet.servers.find((server) => server !== leader && server.kind === 'yoga') as DemoServer
  const renamed = await rename(other, 'ISL', 'Ísland')
  const after = ask()
  origin.release()
  const [early, late] = await Promise.all([before, after])
  await stage.show([...early, ...late])
  checkRuns(stage, origin, 2, `: in ${leader.name} before the invalidation, and once after it`)
  const isOld = (answer: Answer<Country>) => answer.type === 'value' && sameJson(answer.value, old)
  stage.check(
    late.every((answer) => isRight(answer, renamed)),
    `All ${late.length} requests after it got the new name, version ${renamed.version}.`,
    `Of ${late.length} requests after the invalidation ${late.filter(isOld).length} got the old name, and ${late.filter((answer) => isRight(answer, renamed)).length} the new one.`,
  )
  stage.check(
    early.every((answer) => isOld(answer) || isRight(answer, renamed)),
    `Of the ${early.length} before it, ${early.filter(isOld).length} got the old name: they had joined the old flight in ${leader.name}.`,
    'Of the requests before the invalidation some got neither the old name nor the new one.',
  )
  if (leader.events.some(({ type }) => type === 'fenced')) {
    stage.say(`When ${leader.name} wanted to store it, it was refused: its flight was over.`)
  }
}

export async function failure({ stage, fleet, origin }: Cast): Promise<void> {
  stage.open(
    'A leader that throws',
    '400 requests at once for another country; the origin takes its second, and then fails.',
  )
  origin.failNext()
  origin.hold()
  const asked = burst(fleet.servers, EACH, (client) => client.country('NOR'))
  await leaderAtWork(fleet, origin, EACH)
  origin.release()
  const failed = await asked
  await stage.show(failed)
  checkRuns(stage, origin, 1, ': nobody tried it again for himself')
  const wrong = failed.filter((answer) => answer.type !== 'error' || answer.message !== 'the origin answered 503')
  stage.check(
    wrong.length === 0,
    `All ${failed.length} got the error, "the origin answered 503", in whatever server they waited.`,
    `${wrong.length} of ${failed.length} did not get the error "the origin answered 503".`,
  )
  sayLatency(stage, failed, origin)

  const ran = origin.runs.length
  const next = await burst(fleet.servers, 1, (client) => client.country('NOR'))
  stage.count(next)
  const again = origin.runs.length - ran
  stage.check(
    again === 1 && next.every((answer) => isRight(answer, origin.countries.get('NOR'))),
    'Errors are not kept: the next request to each server got the country, with one more run for all.',
    `The next request to each server should get the country with 1 more run; there were ${again}.`,
  )
}

export async function death({ stage, fleet, origin, apart }: Cast): Promise<void> {
  const [what, effect] = apart
    ? [
        'the leading server is killed (SIGKILL)',
        'Its clients lose their connections. The others wait until its lease runs out, at most 2 s.',
      ]
    : [
        "the leader's cache is closed",
        'In one process nothing can be killed alone: closing gives the flight back to those who wait.\nWith Redis this scene kills a process.',
      ]
  stage.open('A leader that dies', `400 requests at once for a third country; half-way ${what}.`, effect)
  origin.hold()
  const asked = burst(fleet.servers, EACH, (client) => client.country('JPN'))
  const leader = await leaderAtWork(fleet, origin, EACH)
  const endedAt = performance.now()
  await leader.end()
  origin.release()
  const answers = await asked
  await stage.show(answers)
  checkRuns(stage, origin, 2, `: in ${leader.name}, and in the one that took over`)
  const [, second] = origin.runs
  if (second !== undefined) {
    stage.say(
      `${second.server} asked the origin ${seconds(second.startedAt - endedAt)} after the end of ${leader.name}.`,
    )
  }
  const cut = apart ? answers.filter((answer) => answer.server === leader) : []
  const rest = answers.filter((answer) => !cut.includes(answer))
  if (apart) {
    stage.check(
      cut.every(({ type }) => type === 'lost'),
      `All ${cut.length} requests to ${leader.name} were cut off, as they must be.`,
      `A request to ${leader.name}, which was killed, was answered.`,
    )
  }
  checkValues(stage, rest, origin.countries.get('JPN'))
}

/** The server whose query is at the origin, half-way, when all have `each` requests that wait for it. */
async function leaderAtWork(fleet: Fleet, origin: Origin, each: number): Promise<DemoServer> {
  while (origin.runs.length === 0) await delay(5)
  const startedAt = performance.now()
  const past = () => performance.now() - startedAt
  while (
    past() < ORIGIN_TIME / 2 ||
    (past() < GATHERING && !fleet.servers.every((server) => waiting(server) >= each))
  ) {
    await delay(5)
  }
  return fleet.servers.find(({ name }) => name === origin.runs[0]?.server) as DemoServer
}

/** How many requests wait in a server: one of them asked the store, the others joined it. */
function waiting({ events }: DemoServer): number {
  return 1 + events.filter(({ type }) => type === 'join').length
}

function checkRuns(stage: Stage, origin: Origin, expected: number, why: string): void {
  const { length } = origin.runs
  stage.check(
    length === expected,
    `The resolver ran ${times(length)}${why}.`,
    `The resolver ran ${times(length)}; it should have run ${times(expected)}.`,
  )
}

function checkValues(stage: Stage, answers: readonly Answer<unknown>[], expected: unknown): void {
  const wrong = answers.filter((answer) => !isRight(answer, expected))
  stage.check(
    wrong.length === 0,
    `All ${answers.length} answers are right.`,
    `${wrong.length} of ${answers.length} answers are wrong, such as: ${JSON.stringify(wrong[0], ['server', 'name', 'type', 'message', 'value'])}.`,
  )
}

/** How long after the last answer of the origin the last client had its own. */
function sayLatency(stage: Stage, answers: readonly Answer<unknown>[], origin: Origin): void {
  const origins = Math.max(...origin.runs.map(({ endedAt = 0 }) => endedAt))
  const last = Math.max(...answers.map(({ endedAt }) => endedAt))
  stage.say(
    `The last of ${answers.length} clients had its answer ${seconds(last - origins)} after the origin gave its own.`,
  )
}

function isRight(answer: Answer<unknown>, expected: unknown): boolean {
  return answer.type === 'value' && sameJson(answer.value, expected)
}

function sameJson(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`
}

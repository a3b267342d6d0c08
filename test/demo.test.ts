import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, inject, onTestFinished, test, vi } from 'vitest'
import { findServerBinary } from './redis/binary.ts'

const ROOT = fileURLToPath(new URL('../', import.meta.url))

/** Limits for a hang: alone the demo takes about ten seconds, and other tests run beside it. */
describe('the demo', { timeout: 150_000 }, () => {
  test('plays on Redis with a process per server, and leaves none behind', async () => {
    const demo = runDemo(ROOT, await redisEnvironment())
    expect(await demo.ended).toBe(0)
    const { lines } = demo
    expect(lines).toContainEqual(expect.stringMatching(/^Four processes, on the Redis of /))
    expectGoodEnd(lines)
    expect(lines).toContainEqual(
      expect.stringMatching(/^✓ All 100 requests to [\w-]+ were cut off, as they must be\.$/),
    )
    expect(lines).toContainEqual(expect.stringMatching(/ took over from /))
    await demo.gone()
  })

  test('plays in one process where there is no Redis', async () => {
    const demo = runDemo(ROOT, await bareEnvironment())
    expect(await demo.ended).toBe(0)
    expect(demo.lines).toContain('All in this process, on one memoryStore(): there is no Redis here.')
    expectGoodEnd(demo.lines)
    await demo.gone()
  })

  test('ended by Ctrl-C it leaves no process behind', async () => {
    const demo = runDemo(ROOT, await redisEnvironment())
    await demo.line(/^2\. /)
    demo.interrupt()
    expect(await demo.ended).toBe(130)
    await demo.gone()
  })

  test.each([
    {
      what: 'the resolver runs for every request',
      file: 'server.ts',
      from: 'createCache({',
      to: 'createCache({ enabled: false,',
      failure: '  A cold key: The resolver ran 400 times; it should have run 2 times.',
    },
    {
      what: 'an invalidation is forgotten',
      file: 'countries.ts',
      from: 'await byCode.delete(code)',
      to: '',
      failure:
        '  An invalidation in the middle of a flight: Of 200 requests after the invalidation 200 got the old name, and 0 the new one.',
    },
  ])('fails, and says why, if $what', async ({ file, from, to, failure }) => {
    const copy = await brokenCopy(file, from, to)
    const demo = runDemo(copy, await bareEnvironment())
    expect(await demo.ended).toBe(1)
    expect(demo.lines).toContain('The demo failed:')
    expect(demo.lines).toContain(failure)
    await demo.gone()
  })
})

function expectGoodEnd(lines: readonly string[]): void {
  expect(lines).toContain('✓ The resolver ran 2 times for 400 requests: once per key. Without atomcache: 400 times.')
  expect(lines).toContain('✓ The resolver ran 0 times: all answers came from the cache.')
  expect(lines).toContain('✓ All 200 requests after it got the new name, version 2.')
  expect(lines).toContain('✓ The resolver ran once: nobody tried it again for himself.')
  expect(lines).toContainEqual(
    expect.stringMatching(/^✓ The resolver ran 2 times: in [\w-]+, and in the one that took over\.$/),
  )
  expect(lines.at(-1)).toBe('2004 requests, 8 runs of a resolver, and every answer was right.')
  expect(lines.filter((line) => line.length > 100)).toEqual([])
  expect(lines.filter((line) => line.includes('\u001b'))).toEqual([])
}

type Environment = Readonly<Record<string, string | undefined>>

/** A server on the PATH; on a machine that has none, the Redis of these tests. */
async function redisEnvironment(): Promise<Environment> {
  return { REDIS_URL: (await findServerBinary()) === undefined ? inject('redisUrl') : undefined }
}

/** Nothing but Node.js. */
async function bareEnvironment(): Promise<Environment> {
  const empty = await temporaryDirectory()
  return { REDIS_URL: undefined, PATH: empty }
}

/** The project as it is, but for one place in one file of the demo. */
async function brokenCopy(file: string, from: string, to: string): Promise<string> {
  const copy = await temporaryDirectory()
  await cp(join(ROOT, 'examples/demo'), join(copy, 'examples/demo'), { recursive: true })
  for (const name of ['tsconfig.json', 'package.json']) await cp(join(ROOT, name), join(copy, name))
  for (const name of ['src', 'node_modules']) await symlink(join(ROOT, name), join(copy, name))
  const path = join(copy, 'examples/demo', file)
  const text = await readFile(path, 'utf8')
  expect(text).toContain(from)
  await writeFile(path, text.replace(from, to))
  return copy
}

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'atomcache-demo-test-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

interface Demo {
  /** Of stdout and stderr, so far. */
  readonly lines: readonly string[]
  /** The exit status. */
  readonly ended: Promise<number | null>
  line(pattern: RegExp): Promise<void>
  /** As Ctrl-C: SIGINT to all of the process group. */
  interrupt(): void
  /** Resolves when none of its processes runs any more, nor its Redis. */
  gone(): Promise<void>
}

/** As `npm run demo`, in a process group of its own. */
function runDemo(directory: string, environment: Environment): Demo {
  const cli = join(ROOT, 'node_modules/tsx/dist/cli.mjs')
  const child: ChildProcess = spawn(process.execPath, [cli, 'examples/demo/main.ts'], {
    cwd: directory,
    env: { ...process.env, ...environment },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const group = -(child.pid as number)
  onTestFinished(() => {
    if (isGroupRunning(group)) process.kill(group, 'SIGKILL')
  })
  const lines: string[] = []
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream as NonNullable<typeof stream> }).on('line', (line) => lines.push(line))
  }
  return {
    lines,
    ended: once(child, 'close').then(([code]) => code as number | null),
    line: (pattern) =>
      vi.waitFor(() => expect(lines).toContainEqual(expect.stringMatching(pattern)), { timeout: 60_000, interval: 20 }),
    interrupt: () => {
      process.kill(group, 'SIGINT')
    },
    async gone() {
      const port = lines.map((line) => /on port (\d+), started for the demo/.exec(line)?.[1]).find(Boolean)
      await vi.waitFor(
        async () => {
          expect(isGroupRunning(group)).toBe(false)
          if (port !== undefined) expect(await accepts(Number(port))).toBe(false)
        },
        { timeout: 5000, interval: 20 },
      )
    },
  }
}

/** A dead process whose parent has not asked for its status yet does not run, but can still be signalled. */
function isGroupRunning(group: number): boolean {
  try {
    process.kill(group, 0)
  } catch {
    return false
  }
  if (process.platform !== 'linux') return true
  // proc(5): after the name in parentheses come the state, the parent and the process group.
  const states = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => statOf(pid).split(') ').at(-1)?.split(' ') ?? [])
  return states.some(([state, , pgrp]) => Number(pgrp) === -group && state !== 'Z' && state !== 'X')
}

function statOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return '' // ended meanwhile
  }
}

/** Whether anybody listens on a loopback port. */
async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

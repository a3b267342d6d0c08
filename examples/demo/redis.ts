import { spawn } from 'node:child_process'
import { access, constants, mkdtemp } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import { Redis } from 'ioredis'

export interface DemoRedis extends AsyncDisposable {
  readonly url: string
  /** Where it came from, in words. */
  readonly from: string
}

/** The Redis of `REDIS_URL`, or one of our own if the PATH has a server; `undefined` if there is neither. */
export async function findRedis(): Promise<DemoRedis | undefined> {
  const { REDIS_URL: given } = process.env
  if (given) {
    await ping(given)
    return { url: given, from: `REDIS_URL (${new URL(given).host})`, async [Symbol.asyncDispose]() {} }
  }
  const binary = await findBinary()
  if (binary === undefined) return undefined
  // Between looking for a free port and using it another process may take it: then look again.
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(binary, await freePort())
    } catch (error) {
      if (attempt === 5 || !/in use/i.test(String(error))) throw error
    }
  }
}

async function ping(url: string): Promise<void> {
  const client = new Redis(url, { lazyConnect: true, retryStrategy: () => null, connectTimeout: 3000 })
  let cause: unknown
  client.on('error', (error) => {
    cause = error
  })
  try {
    await client.connect()
    await client.ping()
  } catch (error) {
    throw new Error(`REDIS_URL is set, and no Redis answers there: ${String(cause ?? error)}`)
  } finally {
    client.disconnect()
  }
}

async function findBinary(): Promise<string | undefined> {
  for (const name of ['redis-server', 'valkey-server']) {
    for (const directory of (process.env.PATH ?? '').split(delimiter).filter(Boolean)) {
      const file = join(directory, name)
      const found = await access(file, constants.X_OK).then(
        () => true,
        () => false,
      )
      if (found) return file
    }
  }
  return undefined
}

/**
 * A tiny shell between us and the server: it keeps nothing open but its stdin, whose end, however this process ends,
 * is the end of the server and its directory. Its stdout is the server's: closed when that is gone.
 */
const GUARD = 'directory=$1; shift; "$@" 2>&1 & exec >&- 2>&-; read -r _; kill -9 $!; rm -rf "$directory"'

async function start(binary: string, port: number): Promise<DemoRedis> {
  const directory = await mkdtemp(join(tmpdir(), 'atomcache-demo-'))
  const settings = ['--bind', '127.0.0.1', '--port', String(port), '--dir', directory, '--save', '']
  // In a session of its own, or Ctrl-C would reach the guard before it could clean up.
  const guard = spawn('sh', ['-c', GUARD, 'guard', directory, binary, ...settings], {
    detached: true,
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  const ended = new Promise<void>((resolve) => guard.once('close', () => resolve()))
  const log: string[] = []
  try {
    await new Promise<void>((resolve, reject) => {
      guard.once('error', reject)
      createInterface({ input: guard.stdout })
        .on('line', (line) => {
          log.push(line)
          if (/ready to accept connections/i.test(line)) resolve()
        })
        .on('close', () => reject(new Error(`${binary} did not start:\n${log.slice(-5).join('\n')}`)))
    })
  } catch (error) {
    guard.stdin.end()
    throw error
  }
  return {
    url: `redis://127.0.0.1:${port}`,
    from: `${binary} on port ${port}, started for the demo`,
    async [Symbol.asyncDispose]() {
      guard.stdin.end()
      await ended
    },
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0))
    })
  })
}

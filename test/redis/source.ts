import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { findServerBinary, installServerBinary, mayInstallServerBinary } from './binary.ts'
import { startRedis } from './server.ts'

/** A Redis for a whole run: its address, where it came from in words, and how to give it back. */
export interface RedisSource {
  url: string
  from: string
  stop(): Promise<void>
}

/**
 * The first that is there: REDIS_URL, a container, a server on the PATH, a server from apt. `say` hears what an
 * impatient person at the terminal should know.
 */
export async function obtainRedis(say: (line: string) => void = console.log): Promise<RedisSource> {
  const given = process.env.REDIS_URL
  if (given) return { url: given, from: 'REDIS_URL', stop: async () => {} }

  if (await dockerAnswers()) {
    try {
      return await startContainer(say)
    } catch (error) {
      // An engine without the image and without a network is no reason to give up: a local server may be there.
      say(`Docker answers, but gave no Redis: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  if ((await provideServerBinary(say)) === undefined) {
    throw new Error(
      'No Redis for the tests. Any of these will do: set REDIS_URL; start Docker; put redis-server or valkey-server ' +
        'on the PATH; or, on Debian or Ubuntu, run as root without ATOMCACHE_NO_INSTALL=1 to have redis-server installed.',
    )
  }
  const server = await startRedis()
  return {
    url: server.url,
    from: server.binary,
    stop: async () => {
      await server[Symbol.asyncDispose]()
    },
  }
}

/** Finds a server binary, or installs one where that is allowed. */
export async function provideServerBinary(say: (line: string) => void = console.log): Promise<string | undefined> {
  const found = await findServerBinary()
  if (found !== undefined) return found
  if (!(await mayInstallServerBinary())) return undefined
  say('No redis-server on the PATH: installing it with apt-get (ATOMCACHE_NO_INSTALL=1 forbids this).')
  return installServerBinary()
}

async function startContainer(say: (line: string) => void): Promise<RedisSource> {
  // Loaded only here: it takes a second, and most runs need none of it.
  const { RedisContainer } = await import('@testcontainers/redis')
  const image = 'redis:7-alpine'
  say(`Starting ${image} in Docker.`)
  const container = await new RedisContainer(image).start()
  return {
    url: container.getConnectionUrl(),
    from: `Docker (${image})`,
    stop: async () => {
      await container.stop()
    },
  }
}

/** Whether a Docker engine answers; a docker client alone, without its engine, does not count. */
async function dockerAnswers(): Promise<boolean> {
  try {
    const { stdout } = await promisify(execFile)('docker', ['version', '--format', '{{.Server.Version}}'], {
      timeout: 5_000,
    })
    return stdout.trim() !== ''
  } catch {
    return false
  }
}

import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { findServerBinary, HOW_TO_GET_A_SERVER } from './binary.ts'
import type { Certificate } from './certificate.ts'
import { BUS, freePort } from './ports.ts'
import { type RunningServer, run } from './serverProcess.ts'

export interface RedisServerOptions {
  /** As in redis.conf: `'10mb'`. Default: no limit. */
  maxmemory?: string
  /** Password of the default user; it is part of `url`. Default: none. */
  requirepass?: string
  /** Lines of an ACL file: `'user reader on >secret ~* +@read'`. */
  acl?: readonly string[]
  /** Further lines of redis.conf: `'maxmemory-policy noeviction'`. They win over the harness's own. */
  config?: readonly string[]
  /** A node of a cluster, alone at first. Its bus is at port + 10000. Default: `false`. */
  cluster?: boolean
  /** A sentinel, which has no keys. Default: `false`. */
  sentinel?: boolean
  /** Who looks inside: servers that log in at each other share one. Default: somebody with a random password. */
  inspector?: Inspector
  /** Shown at a second port, `tlsPort`, where the server speaks TLS. Default: no such port. */
  certificate?: Certificate
  /** Path of the executable. Default: the first one on the PATH. */
  binary?: string
}

/** A user of every server, with every right whatever the ACL says. */
export interface Inspector {
  username: string
  password: string
}

/** A real server of the test's own, which it may kill, pause and restart as it likes. */
export interface RedisServer extends AsyncDisposable {
  /** Address for the default user, with its password. */
  readonly url: string
  readonly port: number
  /** 0 without a certificate. */
  readonly tlsPort: number
  /** Of the process that runs now or ran last. */
  readonly pid: number
  /** Path of the executable. */
  readonly binary: string
  /** `gone` from when its process has ended, by whatever means. */
  readonly state: 'running' | 'paused' | 'gone'
  /** SIGKILL; resolves when the process is gone. Connections break without a word. */
  kill(): Promise<void>
  /** SIGTERM; resolves when the process is gone. */
  stop(): Promise<void>
  /** SIGSTOP: connections stay open and nothing answers. */
  pause(): void
  /** SIGCONT: what was sent in the meantime is answered now. */
  resume(): void
  /** A new, empty server on the same port (a node of a cluster knows the others still); kills the old one if it runs. */
  restart(): Promise<void>
  /** A plain client for looking inside, with every right whatever the ACL says. Closed with the server. */
  client(): Redis
}

/** Starts a server process on a free loopback port, without persistence, and waits until it answers a PING. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const binary = options.binary ?? (await findServerBinary())
  if (binary === undefined) {
    throw new Error(
      `This test needs a Redis process of its own, and REDIS_URL or Docker can't give it one. ${HOW_TO_GET_A_SERVER}`,
    )
  }
  const directory = await mkdtemp(join(tmpdir(), 'atomcache-redis-'))
  const inspector = options.inspector ?? newInspector()
  const clients = new Set<Redis>()
  const file = join(directory, 'redis.conf')
  let port = 0
  let tlsPort = 0
  let running: RunningServer | undefined

  async function start(): Promise<void> {
    const access = `user ${inspector.username} on >${inspector.password} ~* &* +@all`
    const tls = await tlsConfiguration(tlsPort, directory, options)
    await writeFile(file, configuration(port, directory, [access, ...(options.acl ?? []), ...tls], options))
    running = await run(binary as string, options.sentinel === true ? [file, '--sentinel'] : [file], directory)
    const probe = new Redis({ port, ...inspector, retryStrategy: null, maxRetriesPerRequest: 0 })
    probe.on('error', () => {})
    try {
      await probe.ping()
    } finally {
      probe.disconnect()
    }
  }

  async function end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    await running?.end(signal)
  }

  async function dispose(): Promise<void> {
    for (const client of clients) client.disconnect()
    clients.clear()
    await end('SIGKILL')
    await rm(directory, { recursive: true, force: true })
  }

  try {
    // Between looking for a free port and using it another process may take it: then look again.
    for (let attempts = 5; running === undefined; attempts--) {
      port = await freePort(options.cluster === true ? [0, BUS] : [0])
      if (options.certificate !== undefined) tlsPort = await freePort()
      try {
        await start()
      } catch (error) {
        await end('SIGKILL')
        running = undefined
        if (attempts === 1 || !/in use/i.test(String(error))) throw error
      }
    }
  } catch (error) {
    await dispose()
    throw error
  }

  const credentials = options.requirepass === undefined ? '' : `:${encodeURIComponent(options.requirepass)}@`
  const first: RunningServer = running
  return {
    url: `redis://${credentials}127.0.0.1:${port}`,
    port,
    tlsPort,
    binary,
    get pid() {
      return (running ?? first).pid
    },
    get state() {
      return running?.state() ?? 'gone'
    },
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
    pause: () => running?.signal('SIGSTOP'),
    resume: () => running?.signal('SIGCONT'),
    async restart() {
      await end('SIGKILL')
      await start()
    },
    client() {
      const client = new Redis({ port, ...inspector })
      // A client whose server was killed on purpose complains here; its commands still reject.
      client.on('error', () => {})
      clients.add(client)
      return client
    },
    [Symbol.asyncDispose]: dispose,
  }
}

export function newInspector(): Inspector {
  return { username: 'harness', password: randomBytes(12).toString('hex') }
}

/** Clients need no certificate of their own. */
async function tlsConfiguration(
  port: number,
  directory: string,
  { certificate }: RedisServerOptions,
): Promise<readonly string[]> {
  if (certificate === undefined) return []
  const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')]
  await Promise.all([writeFile(cert, certificate.cert), writeFile(key, certificate.key)])
  return [`tls-port ${port}`, `tls-cert-file ${cert}`, `tls-key-file ${key}`, 'tls-auth-clients no']
}

function configuration(
  port: number,
  directory: string,
  more: readonly string[],
  { maxmemory, requirepass, config = [], cluster }: RedisServerOptions,
): string {
  return [
    'bind 127.0.0.1',
    `port ${port}`,
    `dir ${directory}`,
    'save ""',
    'appendonly no',
    'daemonize no',
    'logfile ""',
    ...(cluster === true ? ['cluster-enabled yes', 'cluster-announce-ip 127.0.0.1'] : []),
    ...(maxmemory === undefined ? [] : [`maxmemory ${maxmemory}`]),
    ...(requirepass === undefined ? [] : [`requirepass ${JSON.stringify(requirepass)}`]),
    ...more,
    ...config,
    '',
  ].join('\n')
}

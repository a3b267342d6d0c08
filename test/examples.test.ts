import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, describe, expect, inject, test, vi } from 'vitest'
import packageJson from '../package.json' with { type: 'json' }
import tsdown from '../tsdown.config.ts'

const ROOT = fileURLToPath(new URL('../', import.meta.url))
const run = promisify(execFile)

/** A running example. */
interface Example {
  readonly url: string
  readonly process: ChildProcess
}

const running: ChildProcess[] = []
afterEach(async () => {
  await Promise.all(
    running.splice(0).map(async (child) => {
      if (child.exitCode !== null || child.signalCode !== null) return
      const ended = once(child, 'close')
      child.kill('SIGKILL')
      await ended
    }),
  )
})

/** Runs the file as a user would, on a free port, until the test is over. */
async function start(name: string, redisUrl?: string, env: Record<string, string> = {}): Promise<Example> {
  const { REDIS_URL: _, ...environment } = process.env
  // A route of Next.js has no server of its own.
  const file = name === 'trpcNext' ? 'test/serveNext.ts' : `examples/${name}.ts`
  const child = spawn(process.execPath, ['--import', 'tsx', file], {
    cwd: ROOT,
    env: { ...environment, ...env, PORT: '0', ...(redisUrl === undefined ? {} : { REDIS_URL: redisUrl }) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.push(child)
  let complaints = ''
  child.stderr.on('data', (chunk: Buffer) => {
    complaints += chunk
  })
  return new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const port = /(?:port: |http:.*:)(\d+)/.exec(line)?.[1]
      if (port !== undefined) resolve({ url: `http://localhost:${port}`, process: child })
    })
    child.on('close', (code) => reject(new Error(`${file} exited with ${code}:\n${complaints}`)))
  })
}

async function ask(url: string, init: RequestInit = {}): Promise<string> {
  const response = await fetch(url, init)
  expect(response.ok).toBe(true)
  return response.text()
}

const graphql = (query: string, headers: Record<string, string> = {}): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify({ query }),
})

/** A way to ask each example, whose answers differ with each run, and what they look like. */
const EXAMPLES = [
  {
    name: 'plain',
    ask: ({ url }: Example) => ask(`${url}/rates?base=EUR`),
    like: /^\{"base":"EUR","USD":0\.\d+,"at":/,
  },
  {
    name: 'tags',
    ask: ({ url }: Example) => ask(`${url}/pages/summer`),
    like: /^\{"name":"summer","at":0\.\d+,"products":\[\["41",5\],\["42",6\]\]\}$/,
  },
  {
    name: 'fresh',
    ask: ({ url }: Example) => ask(`${url}/rates/USD`),
    like: /^\{"base":"USD","USD":0\.\d+,"at":/,
  },
  {
    name: 'yoga',
    ask: ({ url }: Example) =>
      ask(`${url}/graphql`, graphql('{ product(id: 42) { name } }', { 'x-user': 'for everybody' })),
    like: /^\{"data":\{"product":\{"name":"Product 42, 0\.\d+"\}\}\}$/,
  },
  {
    name: 'shutdown',
    ask: ({ url }: Example) => ask(`${url}/graphql`, graphql('{ product(id: 42) }')),
    like: /^\{"data":\{"product":"Product 42, 0\.\d+"\}\}$/,
  },
  {
    name: 'envelop',
    ask: ({ url }: Example) => ask(url, graphql('{ product(id: 42) }')),
    like: /^\{"data":\{"product":"Product 42, 0\.\d+"\}\}$/,
  },
  {
    name: 'apollo',
    ask: ({ url }: Example) => ask(url, graphql('{ product(id: 42) { name } }', { 'x-user': 'for everybody' })),
    like: /^\{"data":\{"product":\{"name":"Product 42, 0\.\d+"\}\}\}\n$/,
  },
  {
    name: 'mercurius',
    ask: ({ url }: Example) =>
      ask(`${url}/graphql`, graphql('{ product(id: 42) { name } }', { 'x-user': 'for everybody' })),
    like: /^\{"data":\{"product":\{"name":"Product 42, 0\.\d+"\}\}\}$/,
  },
  {
    name: 'fields',
    ask: ({ url }: Example) => ask(`${url}/graphql`, graphql('{ product(id: 42) { reviews } }')),
    like: /^\{"data":\{"product":\{"reviews":\["A review of 42, 0\.\d+"\]\}\}\}$/,
  },
  {
    name: 'fieldsApollo',
    ask: ({ url }: Example) => ask(url, graphql('{ product(id: 42) { name } }')),
    like: /^\{"data":\{"product":\{"name":"Product 42, 0\.\d+"\}\}\}\n$/,
  },
  {
    name: 'trpc',
    ask: ({ url }: Example) => ask(`${url}/product.byId?input=${encodeURIComponent('{"id":"42"}')}`),
    like: /^\{"result":\{"data":"Product 42, 0\.\d+"\}\}$/,
  },
  {
    name: 'trpcFastify',
    ask: ({ url }: Example) => ask(`${url}/trpc/product?input=${encodeURIComponent('{"id":"42"}')}`),
    like: /^\{"result":\{"data":"Product 42, 0\.\d+"\}\}$/,
  },
  {
    name: 'trpcNext',
    ask: ({ url }: Example) => ask(`${url}/api/trpc/product?input=${encodeURIComponent('{"id":"42"}')}`),
    like: /^\{"result":\{"data":"Product 42, 0\.\d+"\}\}$/,
  },
]

describe.each(EXAMPLES)('examples/$name', (example) => {
  test('alone, it answers from its memory', async () => {
    const server = await start(example.name)
    const first = await example.ask(server)
    expect(first).toMatch(example.like)
    expect(await example.ask(server)).toBe(first)
  })

  test('two processes on one Redis give one answer to all who ask at once', async () => {
    const servers = await Promise.all([1, 2].map(() => start(example.name, inject('redisUrl'))))
    const answers = await Promise.all([...servers, ...servers, ...servers].map((server) => example.ask(server)))
    expect(answers[0]).toMatch(example.like)
    expect(new Set(answers).size).toBe(1)
  })

  test('is short', async () => {
    const source = await readFile(`${ROOT}examples/${example.name}.ts`, 'utf8')
    expect(source.trimEnd().split('\n').length).toBeLessThanOrEqual(40)
  })
})

test('a page of examples/tags.ts goes, in all processes, when a product on it changes, and with no other', async () => {
  const [one, two] = await Promise.all([1, 2].map(() => start('tags', inject('redisUrl'))))
  const read = (from: Example | undefined, name: string) => ask(`${from?.url}/pages/${name}`)
  const put = (id: string) => ask(`${one?.url}/products/${id}?price=7`, { method: 'PUT' })
  const before = await read(one, 'winter')
  expect(await read(two, 'winter')).toBe(before)
  await put('43') // on no page yet
  expect(await read(two, 'winter')).toBe(before)
  await put('42')
  const after = await read(two, 'winter')
  expect(JSON.parse(after).at).not.toBe(JSON.parse(before).at)
  expect(await read(one, 'winter')).toBe(after)
})

test('examples/shutdown.ts, told to end, says so, answers who has asked, closes kept connections, and ends', async () => {
  const { url, process: server } = await start('shutdown', inject('redisUrl'), { DRAIN: '2000' })
  const ended = once(server, 'exit')
  const asked = ask(`${url}/graphql`, graphql('{ product(id: 7) }'))
  await once(createInterface({ input: server.stdout as NodeJS.ReadableStream }), 'line') // it computes
  server.kill('SIGTERM')
  await vi.waitFor(async () => expect((await fetch(`${url}/ready`)).status).toBe(503), { interval: 5 })
  expect(await asked).toMatch(/^\{"data":\{"product":"Product 7, 0\.\d+"\}\}$/)
  expect(await ended).toEqual([0, null])
})

test('the rates of examples/fresh.ts that are kept change, in all processes', async () => {
  const [one, two] = await Promise.all([1, 2].map(() => start('fresh', inject('redisUrl'))))
  const seen = new Set<string>()
  await vi.waitFor(
    async () => {
      const answers = await Promise.all([one, two].map((from) => ask(`${from?.url}/rates/EUR`)))
      for (const answer of answers) seen.add(answer)
      expect(seen.size).toBeGreaterThanOrEqual(4)
    },
    { timeout: 15_000, interval: 50 },
  )
})

test.each(['yoga', 'apollo', 'mercurius', 'fieldsApollo'])(
  'answers of examples/%s.ts are of one user',
  async (name) => {
    const { url } = await start(name)
    const me = (user: string) => ask(`${url}/graphql`, graphql('{ me product(id: 1) { name } }', { 'x-user': user }))
    const [ann, bob] = [await me('ann'), await me('bob')]
    expect([JSON.parse(ann).data.me, JSON.parse(bob).data.me]).toEqual(['ann', 'bob'])
    expect(await me('ann')).toBe(ann)
  },
)

test.each(['apollo', 'mercurius', 'fieldsApollo'])(
  'a product of examples/%s.ts is asked for anew, in all processes, when it was renamed; and errors are told',
  async (name) => {
    const [one, two] = await Promise.all([1, 2].map(() => start(name, inject('redisUrl'))))
    const product = (from: Example | undefined, id: number) =>
      ask(`${from?.url}/graphql`, graphql(`{ product(id: ${id}) { name } }`))
    const [before, other] = [await product(one, 7), await product(one, 8)]
    expect(await product(two, 7)).toBe(before)
    const renamed = await ask(`${two?.url}/graphql`, graphql('mutation { rename(id: 7, name: "x") { name } }'))
    expect(JSON.parse(renamed)).toEqual({ data: { rename: { name: 'x' } } })
    const after = await product(one, 7)
    expect(after).not.toBe(before)
    expect(await product(two, 7)).toBe(after)
    expect(await product(two, 8)).toBe(other)
    for (const bad of ['{ unknown }', '{ product']) {
      const response = await fetch(`${one?.url}/graphql`, graphql(bad))
      expect([response.status, await response.json()]).toEqual([
        400,
        { errors: [expect.objectContaining({ message: expect.stringMatching(/unknown|Syntax Error/) })] },
      ])
    }
  },
)

test('reviews of examples/fields.ts are asked for anew, in all processes, when there is one more; orders are of one user', async () => {
  const [one, two] = await Promise.all([1, 2].map(() => start('fields', inject('redisUrl'))))
  const reviews = (from: Example | undefined, id: number) =>
    ask(`${from?.url}/graphql`, graphql(`{ product(id: ${id}) { reviews } }`))
  const [before, other] = [await reviews(one, 7), await reviews(one, 8)]
  expect(await reviews(two, 7)).toBe(before)
  await ask(`${two?.url}/graphql`, graphql('mutation { review(product: 7, text: "x") { id } }'))
  const after = await reviews(one, 7)
  expect(after).not.toBe(before)
  expect([await reviews(two, 7), await reviews(two, 8)]).toEqual([after, other])
  const orders = (from: Example | undefined, user: string) =>
    ask(`${from?.url}/graphql`, graphql('{ me { orders } }', { 'x-user': user }))
  const [ann, bob] = [await orders(one, 'ann'), await orders(one, 'bob')]
  expect([ann, bob]).toEqual([expect.stringContaining('An order of ann'), expect.stringContaining('An order of bob')])
  expect(await orders(two, 'ann')).toBe(ann)
})

test.each([
  ['trpc', 'orders'],
  ['trpcFastify', 'trpc/orders'],
  ['trpcNext', 'api/trpc/orders'],
])('orders of examples/%s.ts are of one user, and refused to those without a name', async (name, path) => {
  const { url } = await start(name)
  const orders = (user: string) => ask(`${url}/${path}`, { headers: { authorization: user } })
  const [ann, bob] = [await orders('ann'), await orders('bob')]
  expect(ann).toContain('Orders of ann')
  expect(bob).toContain('Orders of bob')
  expect(await orders('ann')).toBe(ann)
  expect((await fetch(`${url}/${path}`)).status).toBe(401)
})

test('examples/trpcFastify.ts tells HTTP caches what they may keep', async () => {
  const { url } = await start('trpcFastify')
  const headers = async (path: string, user?: string) => {
    const response = await fetch(`${url}/trpc/${path}`, user === undefined ? {} : { headers: { authorization: user } })
    return ['cache-control', 'cache-status'].map((name) => response.headers.get(name))
  }
  const product = `product?input=${encodeURIComponent('{"id":"42"}')}`
  expect(await headers(product)).toEqual([expect.stringContaining('public'), expect.stringContaining('fwd=miss')])
  expect(await headers(product)).toEqual([expect.stringContaining('public'), expect.stringContaining('hit')])
  expect(await headers('orders', 'ann')).toEqual([
    expect.stringContaining('private'),
    expect.stringContaining('fwd=miss'),
  ])
})

test('examples/trpcClient.ts asks examples/trpc.ts: a mutation makes the answer new', async () => {
  const { url } = await start('trpc')
  const { stdout } = await run(process.execPath, ['--import', 'tsx', 'examples/trpcClient.ts', url], { cwd: ROOT })
  const said = (name: string) => new RegExp(`${name}: '(.* 0\\.\\d+)'`).exec(stdout)?.[1]
  expect(said('first')).toMatch(/^Product 42, /)
  expect(said('mine')).toMatch(/^Orders of ann, /)
  expect([said('again'), said('kept')]).toEqual([said('first'), said('first')])
  expect(said('renamed')).toMatch(/^Product 42, /)
  expect(said('renamed')).not.toBe(said('kept'))
  const source = await readFile(`${ROOT}examples/trpcClient.ts`, 'utf8')
  expect(source.trimEnd().split('\n').length).toBeLessThanOrEqual(40)
})

test('every door of the package is its source here, for TypeScript and tsx', async () => {
  const doors = Object.keys(packageJson.exports).filter((door) => door !== './package.json')
  const { entry } = tsdown as { entry: Record<string, string> }
  const config = await readFile(`${ROOT}tsconfig.json`, 'utf8')
  const paths = Object.fromEntries(
    [...config.matchAll(/^ {6}"(atomcache[^"]*)": \["\.\/(.*)"\]/gm)].map(([, door, file]) => [door, file]),
  )
  expect(paths).toEqual(
    Object.fromEntries(
      doors.map((door) => [`atomcache${door.slice(1)}`, entry[door === '.' ? 'index' : door.slice(2)]]),
    ),
  )
})

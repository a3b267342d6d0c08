/** HTTP clients in a process of their own, which ask at a constant rate, however slow the servers are, and miss nothing. */
import { EventEmitter, on } from 'node:events'
import { Agent, request } from 'node:http'
import { serve } from '../redis/child.ts'
import type { ApiKind } from './listeners.ts'

export interface Target {
  readonly name: string
  readonly kind: ApiKind
  readonly url: string
}

/** Requests of one sort. */
export interface Stream {
  readonly name: string
  /** Asked in turn, but for those that say that they are not ready. */
  readonly targets: readonly Target[]
  readonly how: 'cached' | 'bare'
  /** Asked in turn; `'new'`: another one each time, which nobody has asked for. */
  readonly keys: readonly string[] | 'new'
  /** ms between two moments in which is asked. */
  readonly every: number
  /** How many ask for the key in such a moment. */
  readonly together: number
}

/** One request. */
export interface Sample {
  readonly stream: string
  /** Who answered. */
  readonly target: string
  readonly key: string
  /** ms, of a clock that all processes of this machine share. */
  readonly at: number
  /** From the request to the end of its answer. */
  readonly ms: number
  /** The status, or the code of the error. */
  readonly outcome: number | string
  readonly text: string
}

/** ms between two looks at whether a server is ready. */
const PROBE_EVERY = 50
/** Of one stream. More are not sent: a machine that is too slow for the rate would only build up a queue. */
const MOST_WAITING = 20

/** Connections are kept, as those of a load balancer. */
const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY })
const samples: Sample[] = []
/** The names of those who answer. */
const answers = new EventEmitter()
const timers = new Set<NodeJS.Timeout>()
const underWay = new Set<Promise<unknown>>()
/** URLs of servers that are not ready, as a load balancer finds out: they are asked nothing new. */
const out = new Set<string>()
/** How many requests of streams are under way, by URL. */
const busy = new Map<string, number>()
let fresh = 0

const calls = {
  /** Begins to ask. */
  play(streams: readonly Stream[]): void {
    for (const url of new Set(streams.flatMap(({ targets }) => targets.map((target) => target.url)))) {
      timers.add(setInterval(() => void probe(url), PROBE_EVERY))
    }
    for (const stream of streams) {
      let turn = 0
      let waiting = 0
      const moment = () => {
        if (waiting >= MOST_WAITING) return
        const key = stream.keys === 'new' ? `new ${++fresh}` : (stream.keys[turn % stream.keys.length] as string)
        for (let i = 0; i < stream.together; i++) {
          waiting++
          void send(stream, key, turn + i).then(() => waiting--)
        }
        turn++
      }
      timers.add(setInterval(moment, stream.every))
    }
  },

  /** Asks each target so often for the key, all at once, and waits for the answers, which `stop` has. */
  async burst(targets: readonly Target[], key: string, each: number): Promise<void> {
    const sent = targets.flatMap((target) => {
      const stream: Stream = { name: 'burst', targets: [target], how: 'cached', keys: [key], every: 0, together: each }
      return Array.from({ length: each }, () => send(stream, key, 0))
    })
    await Promise.all(sent)
  },

  /** Waits until each target has answered so many requests more. */
  async answered(targets: readonly Target[], each: number): Promise<void> {
    const answered = async ({ name }: Target) => {
      let left = each
      for await (const _ of on(answers, name)) if (--left === 0) return
    }
    await Promise.all(targets.map(answered))
  },

  /** Whether the server is asked nothing more, and all that it was asked by streams is answered. */
  isOut: (url: string) => out.has(url) && (busy.get(url) ?? 0) === 0,

  /** Waits until all that asked are answered; what became of them, since the last time. */
  async stop(): Promise<Sample[]> {
    for (const timer of timers) clearInterval(timer)
    timers.clear()
    while (underWay.size > 0) await Promise.all(underWay)
    return samples.splice(0)
  },
}

export type ClientCalls = typeof calls

function send(stream: Stream, key: string, turn: number): Promise<void> {
  const sent = ask(stream, key, turn)
  underWay.add(sent)
  return sent.finally(() => underWay.delete(sent))
}

async function ask({ name, targets, how, every }: Stream, key: string, turn: number): Promise<void> {
  const ready = targets.filter(({ url }) => !out.has(url))
  const target = (ready.length > 0 ? ready : targets)[turn % (ready.length || targets.length)] as Target
  const count = (by: number) => every > 0 && busy.set(target.url, (busy.get(target.url) ?? 0) + by)
  count(1)
  const at = now()
  const { outcome, text } = await exchange(target, how, key)
  count(-1)
  samples.push({ stream: name, target: target.name, key, at, ms: now() - at, outcome, text })
  answers.emit(target.name)
}

function now(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

function probe(url: string): Promise<void> {
  return new Promise((resolve) => {
    const found = (ready: boolean) => {
      if (ready) out.delete(url)
      else out.add(url)
      resolve()
    }
    const asked = request(`${url}/ready`, { agent: false }, (response) => {
      response.resume().on('end', () => found(response.statusCode === 200))
    })
    asked.on('error', () => found(false))
    asked.end()
  })
}

function exchange(target: Target, how: Stream['how'], key: string): Promise<Pick<Sample, 'outcome' | 'text'>> {
  return new Promise((resolve) => {
    const body = JSON.stringify({ query: 'query ($key: String!) { item(key: $key) }', variables: { key } })
    const posted = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    const query = target.kind === 'trpc' ? `?input=${encodeURIComponent(JSON.stringify(key))}` : ''
    const options = target.kind === 'yoga' ? { agent, method: 'POST', headers: posted } : { agent, method: 'GET' }
    const lost = (error: NodeJS.ErrnoException) => resolve({ outcome: error.code ?? error.message, text: '' })
    const sent = request(`${target.url}/${how}${query}`, options, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('error', lost)
      response.on('end', () => {
        const text = textIn(target.kind, Buffer.concat(parts).toString())
        resolve({
          outcome: text === undefined ? `no data, ${response.statusCode}` : (response.statusCode ?? 0),
          text: text ?? '',
        })
      })
    })
    sent.on('error', lost)
    sent.end(target.kind === 'yoga' ? body : undefined)
  })
}

function textIn(kind: ApiKind, body: string): string | undefined {
  try {
    const answer = JSON.parse(body)
    return kind === 'yoga' ? answer.data?.item : answer.result?.data
  } catch {
    return undefined // what is no JSON is no answer: the status says more
  }
}

serve(calls)

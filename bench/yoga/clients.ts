/** HTTP clients in a process of their own, on a connection each. */
import { Agent, request } from 'node:http'
import { serve } from '../../test/redis/child.ts'
import { now } from '../now.ts'

/** Connections are kept, so that no round waits for them. */
const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY, maxFreeSockets: 10_000 })

export interface Burst {
  readonly urls: readonly string[]
  /** Requests to each of them, all at once. */
  readonly each: number
  readonly body: string
}

/** What was answered. Instants are by `now`. */
export interface Answered {
  readonly startedAt: number
  readonly lastAt: number
  /** All texts, each once. */
  readonly texts: readonly string[]
}

const calls = {
  async burst({ urls, each, body }: Burst): Promise<Answered> {
    const startedAt = now()
    const asking = urls.flatMap((url) => Array.from({ length: each }, () => send(url, body)))
    const texts = new Set(await Promise.all(asking))
    return { startedAt, lastAt: now(), texts: [...texts] }
  },
}

export type ClientCalls = typeof calls

function send(url: string, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = {
      'content-type': 'application/json',
      accept: 'application/graphql-response+json, application/json',
      'content-length': Buffer.byteLength(body),
    }
    const sent = request(url, { agent, method: 'POST', headers }, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('end', () => resolve(Buffer.concat(parts).toString()))
      response.on('error', reject)
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

serve(calls)

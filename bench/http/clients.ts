/** Clients of one server, in a process of their own. */
import { Agent, request } from 'node:http'
import { serve } from '../../test/redis/child.ts'

const CONNECTIONS = 32
const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS })

const calls = {
  /** The answer's text. By GET where there is no body. */
  ask: (url: string, body?: string) => send(url, body),
  /** Sends so many requests, as many at a time as there are connections; how long that took, in ms. */
  async run(url: string, body: string | undefined, requests: number): Promise<number> {
    let left = requests
    const client = async () => {
      while (left-- > 0) await send(url, body)
    }
    const startedAt = performance.now()
    await Promise.all(Array.from({ length: CONNECTIONS }, client))
    return performance.now() - startedAt
  },
}

export type ClientCalls = typeof calls

function send(url: string, body: string | undefined): Promise<string> {
  return new Promise((resolve, reject) => {
    const posted = { 'content-type': 'application/json', accept: 'application/graphql-response+json, application/json' }
    const headers = body === undefined ? {} : { ...posted, 'content-length': Buffer.byteLength(body) }
    const sent = request(url, { agent, method: body === undefined ? 'GET' : 'POST', headers }, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('end', () => {
        if (response.statusCode === 200) resolve(Buffer.concat(parts).toString())
        else reject(new Error(`status ${response.statusCode}`))
      })
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

serve(calls)

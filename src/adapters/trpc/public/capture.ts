import { Buffer } from 'node:buffer'
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'

/** An answer, before it leaves. */
export interface Captured {
  readonly status: number
  /** One field, as it would be sent. */
  header(name: string): string | undefined
  readonly body: Buffer
}

/** A captured answer of Node's own server. */
export interface CapturedResponse extends Captured {
  /** Sends it as it is, or with other content and with these fields in the place of its own. */
  send(instead?: Instead): void
}

interface Instead {
  readonly status: number
  readonly headers: Record<string, string>
  readonly body: Uint8Array | undefined
}

/** Lets a listener answer, but keeps the answer back. Rejects when the client has left before, and with what the listener throws. */
export async function capture(response: ServerResponse, listen: () => void): Promise<CapturedResponse> {
  // Some listeners answer nobody who is gone: those who wait for this answer would wait in vain.
  if (response.destroyed) throw new Error('the client has left')
  const { write, end, writeHead, flushHeaders } = response
  const parts: Buffer[] = []
  let begun = false

  /** As Node does before the first byte: who has put a hook around `writeHead`, as sessions do, sets fields then. */
  function begin(): void {
    if (!begun) response.writeHead(response.statusCode)
  }

  function keep(chunk: unknown, encoding: unknown): void {
    if (typeof chunk === 'string')
      parts.push(Buffer.from(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8'))
    else if (chunk instanceof Uint8Array) parts.push(Buffer.from(chunk))
  }

  function release(): void {
    Object.assign(response, { write, end, writeHead, flushHeaders })
  }

  return new Promise((resolve, reject) => {
    const left = () => {
      release()
      reject(new Error('the client has left'))
    }
    response.once('close', left)
    Object.assign(response, {
      write(chunk: unknown, encoding?: unknown, done?: unknown): boolean {
        begin()
        keep(chunk, encoding)
        for (const callback of [encoding, done]) if (typeof callback === 'function') queueMicrotask(() => callback())
        return true
      },
      writeHead(status: number, ...more: (string | OutgoingHttpHeaders | undefined)[]): ServerResponse {
        begun = true
        response.statusCode = status
        for (const fields of more) {
          if (typeof fields === 'string') response.statusMessage = fields
          else
            for (const [name, value] of Object.entries(fields ?? {}))
              if (value !== undefined) response.setHeader(name, value)
        }
        return response
      },
      flushHeaders() {},
      end(chunk?: unknown, encoding?: unknown, done?: unknown): ServerResponse {
        begin()
        keep(chunk, encoding)
        response.off('close', left)
        release()
        const body = Buffer.concat(parts)
        const callback = [chunk, encoding, done].find((one) => typeof one === 'function') as (() => void) | undefined
        if (callback !== undefined) response.once('finish', callback)
        resolve({
          status: response.statusCode,
          header: (name) => response.getHeader(name)?.toString(),
          body,
          send(instead) {
            if (instead === undefined) {
              response.end(body)
              return
            }
            response.statusCode = instead.status
            for (const [name, value] of Object.entries(instead.headers)) response.setHeader(name, value)
            response.end(instead.body)
          },
        })
        return response
      },
    })
    try {
      listen()
    } catch (error) {
      response.off('close', left)
      release()
      reject(error)
    }
  })
}

/** A captured answer of a handler of Requests. */
export interface CapturedFetch extends Captured {
  /** It as it is, or with other content and with these fields in the place of its own. */
  response(instead?: Instead): Response
}

export async function capturedOf(response: Response): Promise<CapturedFetch> {
  const body = Buffer.from(await response.arrayBuffer())
  const { status, headers } = response
  return {
    status,
    header: (name) => headers.get(name) ?? undefined,
    body,
    response: (instead) => responseOf(instead ?? { status, headers: {}, body }, headers),
  }
}

/** @param more fields, where there are no others of their name */
export function responseOf({ status, headers, body }: Instead, more?: Headers): Response {
  const fields = new Headers(more)
  for (const [name, value] of Object.entries(headers)) fields.set(name, value)
  const isEmpty = body === undefined || body.byteLength === 0 || status === 204 || status === 304
  return new Response(isEmpty ? null : (body as Uint8Array<ArrayBuffer>), { status, headers: fields })
}

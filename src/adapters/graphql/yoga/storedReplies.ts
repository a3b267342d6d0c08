import type { StoredResponse } from '../results/response.ts'
import { unchangedResult } from '../results/served.ts'
import { type HttpAnswers, OF_CONTENT, type ResponseHeaders } from './responseHeaders.ts'

/** Answers, and what was made of them. */
export interface Replied extends HttpAnswers {
  reply?: Reply
  /** What the framework has made of them. */
  framed?: unknown
}

/** The bytes of stored responses as HTTP responses. */
export interface StoredReplies {
  /** With all that HTTP caches have to know. `known` has one answer, whose result is not changed. */
  of(request: Request, known: Replied, response: StoredResponse, mediaType: string, fetchAPI: FetchApi): Response
  /** The same response: the framework has made it, of the answers as they are to be written. */
  by<R>(known: Replied, response: R): R
  /** The response as it leaves, whoever made it, and whatever plugins made of it: the same one, or another in its place. */
  complete(request: Request, known: Replied, response: Response, fetchAPI: FetchApi): Response
}

interface FetchApi {
  readonly Response: typeof Response
}

/** A reply, and what was said in it. */
interface Reply {
  readonly response: Response
  /** What its headers were made of, by name in lower case, and what that was then. */
  readonly init: Readonly<Record<string, string>>
  readonly names: readonly string[]
  readonly values: readonly string[]
  readonly notModified: boolean
}

export function storedReplies(headers: Pick<ResponseHeaders, 'fields' | 'write'>): StoredReplies {
  /** What another response has in it nobody knows; but of the same bytes in a coding. */
  function look(known: Replied, first: unknown, response: Response): void {
    if (first !== response && !response.headers.has('content-encoding')) known.written = response
  }

  return {
    of(request, known, { bytes }, mediaType, fetchAPI) {
      unchangedResult(known.answers[0]?.result)
      const type = `${mediaType}; charset=utf-8`
      const { written: init, notModified } = headers.fields(request, 200, new Map([['content-type', type]]), known)
      init['content-type'] = type
      init['content-length'] = String(bytes.byteLength)
      const names = Object.keys(init)
      const values = Object.values(init)
      const body = bytes as Uint8Array<ArrayBuffer> // fetch has no type for bytes in somebody else's buffer
      const response = new fetchAPI.Response(body, { headers: init })
      known.reply = { response, init, names, values, notModified }
      return response
    },

    by(known, response) {
      known.framed = response
      return response
    },

    complete(request, known, response, fetchAPI) {
      const { reply, framed } = known
      if (reply === undefined) {
        if (framed !== undefined) look(known, framed, response)
        return headers.write(request, response, known, fetchAPI)
      }
      if (reply.response === response && isUntouched(reply)) {
        if (!reply.notModified) return response
        return new fetchAPI.Response(null, { status: 304, headers: Object.fromEntries(saidIn(reply)) })
      }
      // With a cookie or a coding in it, or other fields, something else is to be said.
      for (const [name, value] of saidIn(reply)) takeBack(response.headers, name, value)
      look(known, reply.response, response)
      return headers.write(request, response, known, fetchAPI)
    },
  }
}

/**
 * Whether it has still just the fields that it was made with. The `Headers` that Yoga has on Node keep the object that they were
 * made of, and write into it, or into a map in its place; of any other it is not known.
 */
function isUntouched({ response, init, names, values }: Reply): boolean {
  const { headersInit, _map, _setCookies } = response.headers as {
    headersInit?: unknown
    _map?: unknown
    _setCookies?: readonly string[]
  }
  if (headersInit !== init || _map !== undefined || (_setCookies?.length ?? 0) > 0) return false
  let at = 0
  for (const name in init) if (name !== names[at] || init[name] !== values[at++]) return false
  return at === names.length
}

/** What it says besides what its content is. */
function saidIn({ names, values }: Reply): [name: string, value: string][] {
  return names.flatMap((name, i) => (OF_CONTENT.has(name) ? [] : [[name, values[i] as string]]))
}

/** The field without what was written into it; what others have added to it stays. */
function takeBack(headers: Headers, name: string, written: string): void {
  const value = headers.get(name)
  if (value === null || !value.startsWith(written)) return
  const rest = /^\s*,\s*(.+)$/s.exec(value.slice(written.length))?.[1]
  if (value !== written && rest === undefined) return
  headers.delete(name)
  if (rest !== undefined) headers.set(name, rest)
}

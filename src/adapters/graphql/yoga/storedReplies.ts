import type { StoredResponse } from '../results/response.ts'
import { unchangedResult } from '../results/served.ts'
import type { HttpAnswers, ResponseHeaders } from './responseHeaders.ts'

/** The bytes of stored responses as HTTP responses. */
export interface StoredReplies {
  /** With all that HTTP caches have to know. `known` has one answer, whose result is not changed. */
  of(request: Request, known: HttpAnswers, response: StoredResponse, mediaType: string, fetchAPI: FetchApi): Response
  /** The same response: the framework has made it, of the answers as they are to be written. */
  by<R>(known: HttpAnswers, response: R): R
  /** The response as it leaves, whoever made it, and whatever plugins made of it: the same one, or another in its place. */
  complete(request: Request, known: HttpAnswers, response: Response, fetchAPI: FetchApi): Response
}

interface FetchApi {
  readonly Response: typeof Response
}

/** A reply, and what was said in it. */
interface Reply {
  readonly response: Response
  /** What its headers were made of, and what that was then. */
  readonly init: Fields
  readonly content: Fields
  readonly written: Fields
  readonly notModified: boolean
}

/** By name in lower case. */
type Fields = Readonly<Record<string, string>>

export function storedReplies(headers: Pick<ResponseHeaders, 'fields' | 'write'>): StoredReplies {
  const made = new WeakMap<HttpAnswers, Reply>()
  /** What the framework has made. */
  const framed = new WeakMap<HttpAnswers, unknown>()

  /** What another response has in it nobody knows; but of the same bytes in a coding. */
  function look(known: HttpAnswers, first: unknown, response: Response): void {
    if (first !== response && !response.headers.has('content-encoding')) known.written = response
  }

  return {
    of(request, known, { bytes }, mediaType, fetchAPI) {
      const [answer] = known.answers
      if (answer !== undefined) unchangedResult(answer.result as object)
      const type = `${mediaType}; charset=utf-8`
      const content = { 'content-type': type, 'content-length': String(bytes.byteLength) }
      const { written, notModified } = headers.fields(request, 200, new Map([['content-type', type]]), known)
      const init = { ...content, ...written }
      const body = bytes as Uint8Array<ArrayBuffer> // fetch has no type for bytes in somebody else's buffer
      const response = new fetchAPI.Response(body, { headers: init })
      made.set(known, { response, init, content, written, notModified })
      return response
    },

    by(known, response) {
      framed.set(known, response)
      return response
    },

    complete(request, known, response, fetchAPI) {
      const reply = made.get(known)
      if (reply === undefined) {
        if (framed.has(known)) look(known, framed.get(known), response)
        return headers.write(request, response, known, fetchAPI)
      }
      if (reply.response === response && isUntouched(reply)) {
        return reply.notModified ? new fetchAPI.Response(null, { status: 304, headers: reply.written }) : response
      }
      // With a cookie or a coding in it, or other fields, something else is to be said.
      for (const [name, value] of Object.entries(reply.written)) takeBack(response.headers, name, value)
      look(known, reply.response, response)
      return headers.write(request, response, known, fetchAPI)
    },
  }
}

/**
 * Whether it has still just the fields that it was made with. The `Headers` that Yoga has on Node keep the object that they were
 * made of, and write into it, or into a map in its place; of any other it is not known.
 */
function isUntouched({ response, init, content, written }: Reply): boolean {
  const { headersInit, _map, _setCookies } = response.headers as {
    headersInit?: unknown
    _map?: unknown
    _setCookies?: readonly string[]
  }
  if (headersInit !== init || _map !== undefined || (_setCookies?.length ?? 0) > 0) return false
  for (const name in init) if (init[name] !== (written[name] ?? content[name])) return false
  return true
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

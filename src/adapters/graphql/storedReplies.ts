import type { StoredResponse } from './response.ts'
import type { HttpAnswers, ResponseHeaders } from './responseHeaders.ts'
import { unchangedResult } from './served.ts'

/** The bytes of stored responses as HTTP responses. */
export interface StoredReplies {
  /** `known` has one answer, whose result is not changed. */
  of(known: HttpAnswers, response: StoredResponse, mediaType: string, fetchAPI: FetchApi): Response
  /** The response with all that HTTP caches have to know, whoever made it: the same one, or another in its place. */
  complete(request: Request, known: HttpAnswers, response: Response, fetchAPI: FetchApi): Response
}

interface FetchApi {
  readonly Response: typeof Response
}

/** The fields that a reply was made with. */
type Content = Readonly<Record<'Content-Type' | 'Content-Length', string>>

export function storedReplies(headers: Pick<ResponseHeaders, 'fields' | 'write'>): StoredReplies {
  const made = new WeakMap<Response, { readonly body: Uint8Array<ArrayBuffer>; readonly content: Content }>()

  return {
    of(known, { bytes }, mediaType, fetchAPI) {
      const [answer] = known.answers
      if (answer !== undefined) unchangedResult(answer.result as object)
      const content = {
        'Content-Type': `${mediaType}; charset=utf-8`,
        'Content-Length': String(bytes.byteLength),
      }
      const body = bytes as Uint8Array<ArrayBuffer> // fetch has no type for bytes in somebody else's buffer
      const reply = new fetchAPI.Response(body, { headers: content })
      made.set(reply, { body, content })
      return reply
    },

    complete(request, known, response, fetchAPI) {
      const own = made.get(response)
      if (own === undefined || !areUntouched(response.headers, own.content)) {
        return headers.write(request, response, known, fetchAPI)
      }
      const before = new Map([['content-type', own.content['Content-Type']]])
      const { written, notModified } = headers.fields(request, response.status, before, known)
      return notModified
        ? new fetchAPI.Response(null, { status: 304, headers: { ...written } })
        : new fetchAPI.Response(own.body, { headers: { ...own.content, ...written } })
    },
  }
}

/**
 * Whether these are still just the fields that they were made with. The `Headers` that Yoga has on Node keep that object, and
 * write into it, or into a map in its place; of any other it is not known.
 */
function areUntouched(headers: Headers, content: Content): boolean {
  const { headersInit, _map, _setCookies } = headers as {
    headersInit?: unknown
    _map?: unknown
    _setCookies?: readonly string[]
  }
  const cookies = _setCookies?.length ?? 0
  return headersInit === content && Object.keys(content).length === 2 && _map === undefined && cookies === 0
}

import { Buffer } from 'node:buffer'
import { GraphQLError } from 'graphql'
import type { Plugin } from 'graphql-yoga'
import { known, show } from '../../../core/checks.ts'
import { internalsOf } from '../../../core/internals.ts'
import type { ResponseCacheOptions } from '../responses/options.ts'
import { createEarly, type Early, type EarlyOptions, type Found } from './early.ts'
import { hasSmallJson, isParams, mediaTypeFor, type Params, paramsOfUrl } from './earlyRequests.ts'
import type { ResponseHeaders } from './responseHeaders.ts'

/** The options that early answers depend on. */
type EarlyCacheOptions = Pick<
  ResponseCacheOptions<never>,
  'cache' | 'includeExtensionMetadata' | 'buildResponseCacheKey' | 'getDocumentString'
> & { readonly early?: EarlyOptions | undefined; readonly enabled?: unknown }

/**
 * What answers early; `undefined` where nothing does.
 *
 * @throws TypeError for options that do not go together
 */
export function earlyOf(options: EarlyCacheOptions): Early | undefined {
  const { early, cache, includeExtensionMetadata } = options
  if (early === undefined) return undefined
  if (typeof early?.session !== 'function') {
    throw new TypeError(
      `early needs session: a function of the request that returns whose data the response is, got ${show(early?.session)}`,
    )
  }
  known('early', early, OPTIONS)
  for (const name of ['enabled', 'buildResponseCacheKey', 'getDocumentString'] as const) {
    if (options[name] !== undefined) {
      throw new TypeError(
        `early can't go with ${name}, which is asked with the context: early answers before there is one`,
      )
    }
  }
  // The metadata are of one request: it needs a result to write them into.
  if (includeExtensionMetadata === true) {
    throw new TypeError("early can't go with includeExtensionMetadata: it answers with the bytes that are stored")
  }
  const inDevelopment = includeExtensionMetadata === undefined && process.env.NODE_ENV === 'development'
  return inDevelopment ? undefined : createEarly(early, internalsOf(cache))
}

const OPTIONS: ReadonlySet<string> = new Set<keyof EarlyOptions>(['session'])

/** What was read of a request before the framework read it. */
export interface Read {
  readonly mediaType: string
  readonly params: Params
  /** Method, and body or URL. */
  readonly text: string
}

/** The two hooks of early answers: reading may come first, answering must come last. */
export interface EarlyHooks {
  /** Reads what is asked, where that is small. */
  readonly reading: Required<Pick<Plugin, 'onRequestParse'>>
  /** Answers. It has to stand behind all that may refuse requests. */
  readonly answering: Required<Pick<Plugin, 'onRequestParse'>>
}

/** @param known what is known of a request */
export function earlyHooks(
  early: Early,
  headers: ResponseHeaders,
  known: (request: Request) => { read?: Read },
  reply: (request: Request, mediaType: string, found: Found, fetchAPI: { Response: typeof Response }) => Response,
): EarlyHooks {
  return {
    reading: {
      async onRequestParse({ request, requestParser, setRequestParser, fetchAPI }) {
        const mediaType = mediaTypeFor(request.headers.get('accept'))
        if (mediaType === undefined || requestParser === undefined || headers.directives(request) !== undefined) return
        let text: string
        let params: unknown
        if (request.method === 'GET') {
          text = `GET ${request.url}`
          params = early.recall(text) ?? paramsOfUrl(request.url)
        } else if (request.method === 'POST' && hasSmallJson(request)) {
          const body = await bodyOf(request)
          text = `POST ${body}`
          // Nothing of it is left to be read, and its length, which limits are about, is as it was said.
          Object.defineProperty(request, 'body', { value: null })
          setRequestParser(() => {
            const { url, method, headers } = request
            return requestParser(new fetchAPI.Request(url, { method, headers, body }))
          })
          params = early.recall(text) ?? paramsOfJson(body)
        } else return
        if (isParams(params)) known(request).read = { mediaType, params, text }
      },
    },
    answering: {
      async onRequestParse({ request, endResponse, fetchAPI }) {
        const { read } = known(request)
        if (read === undefined) return
        const found = await early.find(request, read.params, read.text)
        if (found !== undefined) endResponse(reply(request, read.mediaType, found, fetchAPI))
      },
    },
  }
}

/**
 * The text of the body. Whoever counts bytes after this trusts the length that was said: it is that of the bytes, which may be no
 * UTF-8, and be another text then.
 *
 * @throws GraphQLError for another length
 */
async function bodyOf(request: Request): Promise<string> {
  const sent: ArrayBuffer | Uint8Array = await request.arrayBuffer() // on Node, Yoga's gives a Buffer
  const bytes = ArrayBuffer.isView(sent) ? sent : new Uint8Array(sent)
  const { buffer, byteOffset, byteLength } = bytes
  if (byteLength === Number(request.headers.get('content-length'))) {
    return Buffer.from(buffer, byteOffset, byteLength).toString()
  }
  const extensions = { code: 'BAD_REQUEST', http: { status: 400 } }
  throw new GraphQLError('Content-Length is not the length of the body.', { extensions })
}

function paramsOfJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // the parser of the framework says what is wrong with it
  }
}

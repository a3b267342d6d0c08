import type { Plugin } from 'graphql-yoga'
import { internalsOf } from '../../core/internals.ts'
import { createEarly, type Early, type EarlyOptions, type Found, isParams } from './early.ts'
import { hasSmallJson, mediaTypeFor, paramsOfUrl } from './earlyRequests.ts'
import type { ResponseCacheOptions } from './options.ts'
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
  const { early, cache, includeExtensionMetadata = process.env.NODE_ENV === 'development' } = options
  if (early === undefined) return undefined
  if (typeof early?.session !== 'function') {
    throw new TypeError('early needs session: a function of the request that returns whose data the response is')
  }
  for (const name of ['enabled', 'buildResponseCacheKey', 'getDocumentString'] as const) {
    if (options[name] !== undefined) {
      throw new TypeError(
        `early can't go with ${name}, which is asked with the context: early answers before there is one`,
      )
    }
  }
  // The metadata are of one request: it needs a result to write them into.
  return includeExtensionMetadata ? undefined : createEarly(early, internalsOf(cache))
}

/** Answers before the request is parsed. It has to stand behind all that may refuse requests, and limit them. */
export function earlyHooks(
  early: Early,
  headers: ResponseHeaders,
  reply: (request: Request, mediaType: string, found: Found, fetchAPI: { Response: typeof Response }) => Response,
): Pick<Plugin, 'onRequestParse'> {
  return {
    async onRequestParse({ request, requestParser, setRequestParser, endResponse, fetchAPI }) {
      const mediaType = mediaTypeFor(request.headers.get('accept'))
      if (mediaType === undefined || requestParser === undefined || headers.directives(request) !== undefined) return
      let params: unknown
      if (request.method === 'GET') params = paramsOfUrl(request.url)
      else if (request.method === 'POST' && hasSmallJson(request)) {
        const body = await request.text()
        const { url, method, headers } = request
        setRequestParser(() => requestParser(new fetchAPI.Request(url, { method, headers, body })))
        params = parsed(body)
      }
      const found = isParams(params) ? await early.find(request, params) : undefined
      if (found !== undefined) endResponse(reply(request, mediaType, found, fetchAPI))
    },
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // the parser of the framework says what is wrong with it
  }
}

import { LRUCache } from 'lru-cache'

/** What a request asks for, as far as it is needed for a key. */
export interface Params {
  readonly query: string
  readonly operationName?: string | null | undefined
  readonly variables?: Readonly<Record<string, unknown>> | null | undefined
}

/** Bytes that the body of a request may have to be read here; it must say how many it has. */
const MAX_BODY = 64 * 1024

/** Clients send one of a few: what was found is remembered, for so many. */
const accepted = new LRUCache<string, { readonly type: string | undefined }>({ max: 100 })

/** The media type of a JSON response, as GraphQL Yoga negotiates it; `undefined` where it would answer in another form. */
export function mediaTypeFor(accept: string | null): string | undefined {
  if (accept === null) return 'application/json'
  let known = accepted.get(accept)
  if (known === undefined) {
    known = { type: negotiate(accept) }
    if (accept.length < 200) accepted.set(accept, known)
  }
  return known.type
}

function negotiate(accept: string): string | undefined {
  for (const asked of accept.replace(/\s/g, '').toLowerCase().split(',')) {
    const [type, ...parameters] = asked.split(';')
    const charset = parameters.find((parameter) => parameter.startsWith('charset='))
    if (charset !== undefined && charset !== 'charset=utf-8') continue
    if (type === 'application/json' || type === 'application/graphql-response+json') return type
    if (type === '*/*' || type === 'application/*') return 'application/json'
  }
  return undefined
}

/** Whether the body is JSON of a size that it says, and that is small. */
export function hasSmallJson(request: Request): boolean {
  const { headers } = request
  const type = headers.get('content-type')
  const length = headers.get('content-length')
  return (
    (type === 'application/json' || type?.startsWith('application/json;') === true) &&
    length !== null &&
    /^\d{1,5}$/.test(length) &&
    Number(length) <= MAX_BODY
  )
}

/** What a GET asks for; `undefined` for what is better left to the framework. */
export function paramsOfUrl(url: string): Params | undefined {
  const at = url.indexOf('?')
  if (at < 0) return undefined
  const search = new URLSearchParams(url.slice(at + 1))
  const variables = search.get('variables')
  if (search.has('extensions')) return undefined
  try {
    const params = {
      query: search.get('query') || undefined,
      operationName: search.get('operationName') || undefined, // as the framework reads it: nothing said
      variables: variables ? JSON.parse(variables) : undefined,
    }
    return isParams(params) ? params : undefined
  } catch {
    return undefined // the framework says what is wrong with it
  }
}

/** Whether the parameters are those of one plain operation: nothing that another plugin has to complete first. */
export function isParams(params: unknown): params is Params {
  if (typeof params !== 'object' || params === null || Array.isArray(params)) return false
  const { query, operationName, variables, extensions, ...others } = params as Record<string, unknown>
  return (
    typeof query === 'string' &&
    (operationName === undefined || operationName === null || typeof operationName === 'string') &&
    (variables === undefined || variables === null || (typeof variables === 'object' && !Array.isArray(variables))) &&
    (extensions === undefined ||
      extensions === null ||
      (typeof extensions === 'object' && !Array.isArray(extensions) && !Object.hasOwn(extensions, 'persistedQuery'))) &&
    Object.keys(others).length === 0
  )
}

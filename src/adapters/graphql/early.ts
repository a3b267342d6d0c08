import { parse } from 'graphql'
import { LRUCache } from 'lru-cache'
import type { Internals } from '../../core/internals.ts'
import type { Scope } from '../../core/scope.ts'
import type { Admitted } from './admission.ts'
import { documentDigest } from './digests.ts'
import { declared, operationKey } from './key.ts'
import type { Plan } from './plans.ts'
import type { StoredResponse } from './response.ts'

/** What is told to answer hits before the request is parsed. */
export interface EarlyOptions {
  /**
   * Whose data the response is, by the request alone: it must say of every request what `session` says of it, or
   * `undefined` where it can't, which is asked later then.
   */
  readonly session: (request: Request) => Scope
}

/** What a request asks for, as far as it is needed for a key. */
export interface Params {
  readonly query: string
  readonly operationName?: string | null | undefined
  readonly variables?: Readonly<Record<string, unknown>> | null | undefined
}

/** Finds stored responses by the text of the operation: of texts that were executed here before. */
export interface Early {
  /** What arrived with these parameters was executed as this plan, and its response has this id. */
  learn(params: Params, plan: Plan, admitted: Pick<Admitted, 'id' | 'scope'>): void
  /** Nothing that was learned counts any more: the schema has changed. */
  forget(): void
  /** ms that the response is fresh for. */
  left(response: StoredResponse): number
  /** What is stored for the request. */
  find(request: Request, params: Params): Promise<Found | undefined>
}

export interface Found {
  readonly response: StoredResponse
  readonly scope: string | null
}

/** What is known of a text: the digests of what it was executed as. */
type Known = Pick<Plan, 'digests' | 'operation'>

/** So many texts are remembered, of so many characters together. */
const MAX_TEXTS = 1000
const MAX_CHARACTERS = 10_000_000

export function createEarly({ session }: EarlyOptions, internals: Internals): Early {
  let off = false
  const texts = new LRUCache<string, Known>({
    max: MAX_TEXTS,
    maxSize: MAX_CHARACTERS,
    sizeCalculation: (_known, text) => text.length,
  })

  function scopeOf(request: Request): string | null | undefined {
    try {
      const scope: unknown = session(request)
      if (scope instanceof Promise) scope.catch(() => undefined) // it comes too late, whatever it is
      return scope === null || (typeof scope === 'string' && scope !== '') ? scope : undefined
    } catch {
      return undefined // the other one is asked later, and tells
    }
  }

  return {
    learn(params, { digests, operation }, { id, scope }) {
      const text = textOf(params)
      if (off || texts.has(text)) return
      const known: Known = { digests: [digests[0], digestOfText(params.query)], operation }
      if (internals.idOf('a request', keyOf(known, params, scope)) === id) {
        texts.set(text, known)
        return
      }
      // A plugin makes something else of what arrives: for one user so, maybe, for another otherwise.
      off = true
      texts.clear()
      const reason = 'a plugin changes documents or variables after they arrive: early answers are off'
      internals.events.emit({ type: 'bypass', what: 'a request', reason })
    },

    forget: () => texts.clear(),
    left: ({ createdAt, ttl }) => createdAt + ttl - internals.now(),

    async find(request, params) {
      const known = off ? undefined : texts.get(textOf(params))
      if (known === undefined) return undefined
      const scope = scopeOf(request)
      if (scope === undefined) return undefined
      const id = internals.idOf('a request', keyOf(known, params, scope))
      const response = id === undefined ? undefined : ((await internals.peek(id)) as StoredResponse | undefined)
      return response === undefined || response.failed ? undefined : { response, scope }
    },
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
    (extensions === undefined || extensions === null || !Object.hasOwn(Object(extensions), 'persistedQuery')) &&
    Object.keys(others).length === 0
  )
}

function textOf({ query, operationName }: Params): string {
  return `${operationName ?? ''}\n${query}`
}

function keyOf({ digests, operation }: Known, { variables }: Params, scope: string | null): readonly unknown[] {
  return operationKey(digests, operation.name?.value ?? null, declared(variables, operation), scope)
}

/** It was parsed and executed before. */
function digestOfText(query: string): string {
  return documentDigest(parse(query, { noLocation: true }))
}

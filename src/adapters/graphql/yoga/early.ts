import { parse } from 'graphql'
import { LRUCache } from 'lru-cache'
import type { Internals } from '../../../core/internals.ts'
import { type Scope, scopeOf } from '../../../core/scope.ts'
import { documentDigest } from '../documents/digests.ts'
import type { Plan } from '../documents/plans.ts'
import type { Admitted } from '../responses/admission.ts'
import { declared, operationKey } from '../responses/key.ts'
import type { StoredResponse } from '../results/response.ts'

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
  /** The parameters that were read from this text, where something was found for them: it need not be parsed again. */
  recall(text: string): Params | undefined
  /** What is stored for the request; `text` is what the parameters were read from: method, and body or URL. */
  find(request: Request, params: Params, text: string): Promise<Found | undefined>
}

export interface Found {
  readonly response: StoredResponse
  readonly scope: string | null
}

/** What is known of a text: the digests of what it was executed as. */
type Known = Pick<Plan, 'digests' | 'operation'>

/** The id that was last asked for with some parameters, and why it is that one. */
interface Asked {
  readonly known: Known
  readonly scope: string | null
  readonly id: string | undefined
}

/** So many texts are remembered, of so many characters together. */
const MAX_TEXTS = 1000
const MAX_CHARACTERS = 10_000_000

function byText<V extends object>(): LRUCache<string, V> {
  return new LRUCache({ max: MAX_TEXTS, maxSize: MAX_CHARACTERS, sizeCalculation: (_value, text) => text.length + 1 })
}

export function createEarly({ session }: EarlyOptions, internals: Internals): Early {
  let off = false
  /** By operation. */
  const executed = byText<Known>()
  /** By method, and body or URL: those are often the same ones, and parsed and digested once. */
  const read = byText<Params>()
  const last = new WeakMap<Params, Asked>()

  /** `undefined` also where the user leaves it to the other one, which is asked later. */
  function scopeFor(request: Request): string | null | undefined {
    let left = false
    const scope = scopeOf(internals, 'an early answer', 'early.session', () => {
      const given = session(request)
      left = given === undefined
      return left ? null : given
    })
    return left ? undefined : scope
  }

  function idOf(known: Known, params: Params, scope: string | null): string | undefined {
    const asked = last.get(params)
    if (asked?.known === known && asked.scope === scope) return asked.id
    const id = internals.idOf('a request', keyOf(known, params, scope))
    last.set(params, { known, scope, id })
    return id
  }

  return {
    learn(params, { digests, operation }, { id, scope }) {
      const text = textOf(params)
      if (off || executed.has(text)) return
      const known: Known = { digests: [digests[0], digestOfText(params.query)], operation }
      if (idOf(known, params, scope) === id) {
        executed.set(text, known)
        return
      }
      // A plugin makes something else of what arrives: for one user so, maybe, for another otherwise.
      off = true
      executed.clear()
      const reason = 'a plugin changes documents or variables after they arrive: early answers are off'
      internals.events.emit({ type: 'bypass', what: 'a request', reason })
    },

    forget: () => executed.clear(),
    left: ({ createdAt, ttl }) => createdAt + ttl - internals.now(),
    recall: (text) => read.get(text),

    async find(request, params, text) {
      const known = off ? undefined : executed.get(textOf(params))
      if (known === undefined) return undefined
      const scope = scopeFor(request)
      if (scope === undefined) return undefined
      const id = idOf(known, params, scope)
      const response =
        id === undefined ? undefined : ((await internals.peek(id, isWhole)) as StoredResponse | undefined)
      if (response === undefined) return undefined
      read.set(text, params)
      return { response, scope }
    },
  }
}

/** What failed is told by the normal way. */
function isWhole(response: unknown): boolean {
  return !(response as StoredResponse).failed
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

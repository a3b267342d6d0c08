import { type GraphQLSchema, parse } from 'graphql'
import { LRUCache } from 'lru-cache'
import type { Times } from '../../../core/entry.ts'
import { messageOf } from '../../../core/errors.ts'
import { freshFor } from '../../../core/freshness.ts'
import type { Internals } from '../../../core/internals.ts'
import { type Scope, scopeOf } from '../../../core/scope.ts'
import { documentDigest } from '../documents/digests.ts'
import type { Plan } from '../documents/plans.ts'
import type { Admitted } from '../responses/admission.ts'
import { declared, operationKey, variablesOf } from '../responses/key.ts'
import type { StoredResponse } from '../results/response.ts'
import type { Params } from './earlyRequests.ts'

/** What is told to answer hits before the request is parsed. */
export interface EarlyOptions {
  /**
   * Whose data the response is, by the request alone: it must say of every request what `session` says of it, or
   * `undefined` where it can't, which is asked later then.
   */
  readonly session: (request: Request) => Scope
}

/** Finds stored responses by the text of the operation: of texts that were executed here before. */
export interface Early {
  /** The schema of the server: all requests must be for the one that was there when it was made. */
  serve(schema: GraphQLSchema, making: boolean): void
  /** What arrived with these parameters was executed as this plan, for this schema, and its response has this id. */
  learn(params: Params, schema: GraphQLSchema, plan: Plan, admitted: Pick<Admitted, 'id' | 'scope'>): void
  /** ms that the response is fresh for; negative where it is stale, since when. */
  left(found: Found): number
  /** The parameters that were read from this text, where something was found for them: it need not be parsed again. */
  recall(text: string): Params | undefined
  /** What is stored for the request; `text` is what the parameters were read from: method, and body or URL. */
  find(request: Request, params: Params, text: string): Promise<Found | undefined>
}

export interface Found {
  readonly response: StoredResponse
  readonly times: Times
  readonly scope: string | null
}

/** What is known of a text: what it was executed as. */
interface Known {
  readonly digests: Plan['digests']
  readonly operationName: string | null
  readonly variables: readonly string[]
}

/** The id that was last asked for with some parameters, and why it is that one. */
interface Asked {
  readonly known: Known
  readonly scope: string | null
  readonly id: string | undefined
}

/** So many texts are remembered, of so many characters together. */
const MAX_TEXTS = 1000
const MAX_CHARACTERS = 2_000_000

/** Characters of a body or URL that is remembered with what was read from it. */
const MAX_REMEMBERED = 2000

function byText<V extends object>(): LRUCache<string, V> {
  return new LRUCache({ max: MAX_TEXTS, maxSize: MAX_CHARACTERS, sizeCalculation: (_value, text) => text.length + 1 })
}

export function createEarly({ session }: EarlyOptions, internals: Internals): Early {
  let schema: GraphQLSchema | undefined
  let off = false
  /** By operation. */
  const executed = byText<Known>()
  /** By method, and body or URL: those are often the same ones, and parsed and digested once. */
  const read = byText<Params>()
  const last = new WeakMap<Params, Asked>()

  /** What is asked for is not what arrives, or not the same for all. */
  function end(reason: string): void {
    if (off) return
    off = true
    executed.clear()
    read.clear()
    internals.events.emit({ type: 'bypass', what: 'every early answer', reason })
  }

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
    const { key, secret } = operationKey(
      known.digests,
      known.operationName,
      declared(params.variables, known.variables),
      scope,
    )
    const id = internals.idOf('an early answer', key, secret)
    last.set(params, { known, scope, id })
    return id
  }

  return {
    serve(given, making) {
      if (making) schema = given
      else if (given !== schema) end(OTHER_SCHEMA)
    },

    learn(params, given, { digests, operation }, { id, scope }) {
      if (off) return
      if (given !== schema) return end(OTHER_SCHEMA)
      const text = textOf(params)
      if (executed.has(text)) return
      // For one user so, maybe, for another otherwise.
      const changed = 'a plugin changes documents or variables after they arrive'
      try {
        const document = documentDigest(parse(params.query, { noLocation: true }))
        const operationName = operation.name?.value ?? null
        const known = { digests: [digests[0], document], operationName, variables: variablesOf(operation) } as const
        if (idOf(known, params, scope) === id) executed.set(text, known)
        else end(changed)
      } catch (error) {
        end(`${changed}: ${messageOf(error)}`)
      }
    },

    left: ({ times }) => freshFor(times, internals.now()),
    recall: (text) => read.get(text),

    async find(request, params, text) {
      const known = last.get(params)?.known ?? executed.get(textOf(params))
      if (known === undefined) return undefined
      const scope = scopeFor(request)
      if (scope === undefined) return undefined
      const id = idOf(known, params, scope)
      if (id === undefined) return undefined
      let times: Times | undefined
      // The first to find it stale gets nothing here: it goes all the way, and refreshes it.
      const stored = await internals.peek(id, (response, entry) => {
        times = entry
        return isWhole(response)
      })
      if (stored === undefined || times === undefined || off) return undefined
      if (text.length <= MAX_REMEMBERED) read.set(text, params)
      return { response: stored as StoredResponse, times, scope }
    },
  }
}

/** For one user this one, maybe, for another that one. */
const OTHER_SCHEMA = 'the schema is not the one that was there when the server was made'

/** What failed is told by the normal way. */
function isWhole(response: unknown): boolean {
  return !(response as StoredResponse).failed
}

/** Of operation and its name, each where it is said, in one text. */
function textOf({ query, operationName }: Params): string {
  return operationName === undefined || operationName === null
    ? `:${query}`
    : `${operationName.length}:${operationName}${query}`
}

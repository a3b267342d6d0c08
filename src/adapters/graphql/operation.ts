import { createHash } from 'node:crypto'
import {
  type DocumentNode,
  type ExecutionResult,
  type GraphQLSchema,
  getOperationAST,
  Kind,
  type OperationDefinitionNode,
  print,
  printSchema,
  type SelectionSetNode,
} from 'graphql'

/** What an execution is asked to do; the part of graphql-js' arguments that its key depends on. */
export interface Operation {
  readonly schema: GraphQLSchema
  readonly document: DocumentNode
  readonly operationName?: string | null | undefined
  readonly variableValues?: unknown
}

/** The operation, if its result can be cached at all: a query, and not one about the schema. */
export function cacheableOperation(operation: Operation): OperationDefinitionNode | undefined {
  const definition = getOperationAST(operation.document, operation.operationName)
  if (definition?.operation !== 'query') return undefined
  return asksForSchema(operation.document, definition.selectionSet, 0) ? undefined : definition
}

/** The key of an operation's result, for one scope. */
export function operationKey(operation: Operation, scope: string | null): readonly unknown[] {
  const { schema, document, operationName, variableValues } = operation
  const digests = [digestOf(schema, printSchema), digestOf(document, print)]
  return ['graphql', ...digests, operationName ?? null, variableValues ?? {}, scope]
}

/** A whole result with data and without errors: what may be kept. */
export function isCacheableResult(result: unknown): result is ExecutionResult {
  if (!isWholeResult(result)) return false
  return (
    result.data !== undefined && result.data !== null && (result.errors === undefined || result.errors.length === 0)
  )
}

/** A complete result, with errors or without: not one that is delivered in parts. */
export function isWholeResult(result: unknown): result is ExecutionResult {
  if (typeof result !== 'object' || result === null || Symbol.asyncIterator in result) return false
  return Object.keys(result).every((member) => member === 'data' || member === 'errors' || member === 'extensions')
}

/**
 * What of a result is for everybody, as an object of its own: plugins write into results. `extensions.http` is the
 * answer to one request (its cookies, its status) and stays with who asked.
 */
export function sharedPart(result: ExecutionResult): ExecutionResult {
  const { extensions: { http: _own, ...extensions } = {}, ...rest } = result
  return copyOf(Object.keys(extensions).length === 0 ? rest : { ...rest, extensions })
}

/** Plain objects and arrays anew, all else as it is. */
export function copyOf<V>(value: V): V {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(copyOf) as V
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== null && prototype !== Object.prototype) return value
  const copy: Record<string, unknown> = Object.create(prototype)
  for (const [name, part] of Object.entries(value)) {
    // As its own: a scalar may be any JSON, and a plain write of that name would set the prototype.
    if (name === '__proto__') Object.defineProperty(copy, name, { value: copyOf(part), enumerable: true })
    else copy[name] = copyOf(part)
  }
  return copy as V
}

const digests = new WeakMap<object, string>()

/**
 * Of the printed schema or document: white space and comments do not count. Servers keep their schema, and cache parsed
 * documents, so mostly once each.
 */
function digestOf<T extends object>(source: T, text: (source: T) => string): string {
  let digest = digests.get(source)
  if (digest === undefined) {
    digest = createHash('sha256').update(text(source)).digest('base64url')
    digests.set(source, digest)
  }
  return digest
}

/** Fragments in fragments; validation has refused cycles, but it may be off. */
const MAX_FRAGMENT_DEPTH = 20

function asksForSchema(document: DocumentNode, selections: SelectionSetNode, depth: number): boolean {
  if (depth > MAX_FRAGMENT_DEPTH) return true
  return selections.selections.some((selection) => {
    switch (selection.kind) {
      case Kind.FIELD:
        return selection.name.value === '__schema' || selection.name.value === '__type'
      case Kind.INLINE_FRAGMENT:
        return asksForSchema(document, selection.selectionSet, depth + 1)
      case Kind.FRAGMENT_SPREAD: {
        const name = selection.name.value
        const fragment = document.definitions.find(
          (definition) => definition.kind === Kind.FRAGMENT_DEFINITION && definition.name.value === name,
        )
        return fragment !== undefined && 'selectionSet' in fragment
          ? asksForSchema(document, fragment.selectionSet as SelectionSetNode, depth + 1)
          : false
      }
      default:
        return selection satisfies never
    }
  })
}

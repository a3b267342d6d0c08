import {
  type DocumentNode,
  type GraphQLSchema,
  getOperationAST,
  isAbstractType,
  type OperationDefinitionNode,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql'
import { LRUCache } from 'lru-cache'
import { prefixFor, withAdditions } from './additions.ts'
import { documentDigest, schemaDigest } from './digests.ts'
import { type FieldRule, least, type Problem, type RuleOptions, type Rules, rulesOf } from './rules.ts'
import { type Shape, shapeOf } from './shapes.ts'

/** How one operation is run, and its response read. */
export interface Plan {
  readonly operation: OperationDefinitionNode
  /** With what tells the entities of a response. */
  readonly document: DocumentNode
  /** The operation in that document. */
  readonly executed: OperationDefinitionNode
  /** Of the response keys of what tells them. */
  readonly prefix: string
  readonly shape: Shape
  /** ms: the least that the options say of any field in the document. */
  readonly ttl: number | undefined
  /** Whether anything that may be in the response is said to be for one session. */
  readonly private: boolean
  /** Whether it may be delivered in parts. */
  readonly incremental: boolean
  /** Of schema and document; the second is that of what was asked, without additions, white space, comments. */
  readonly digests: readonly [schema: string, document: string]
}

/** The plans of the operations that are asked for. */
export interface Plans {
  /** `undefined` for what can't be run, has no shape, or gives many results. */
  of(schema: GraphQLSchema, document: DocumentNode, operationName: string | null | undefined): Plan | undefined
}

/** What is known of one schema. */
interface Known {
  readonly rules: Rules
  /** Servers that keep parsed documents find theirs here. */
  readonly byDocument: WeakMap<DocumentNode, Map<string, Plan>>
  /** Others parse them for each request. */
  readonly byDigest: LRUCache<string, Plan>
}

/** So many operations of one schema are remembered whose documents nobody keeps, of so many nodes together. */
const MAX_PLANS = 1000
const MAX_NODES = 500_000

/** @param tell of each thing that is wrong with the rules of a schema, when it is first met */
export function createPlans(options: RuleOptions, tell: (problem: Problem) => void): Plans {
  const schemas = new WeakMap<GraphQLSchema, Known>()

  function knownOf(schema: GraphQLSchema): Known {
    let known = schemas.get(schema)
    if (known === undefined) {
      const byDigest = new LRUCache<string, Plan>({
        max: MAX_PLANS,
        maxSize: MAX_NODES,
        sizeCalculation: ({ document }) => nodesOf(document),
      })
      known = { rules: rulesOf(schema, options), byDocument: new WeakMap(), byDigest }
      schemas.set(schema, known)
      known.rules.problems.forEach(tell)
    }
    return known
  }

  return {
    of(schema, document, operationName) {
      const { rules, byDocument, byDigest } = knownOf(schema)
      const name = operationName ?? ''
      const kept = byDocument.get(document)?.get(name)
      if (kept !== undefined) return kept
      const operation = getOperationAST(document, operationName)
      if (!operation || operation.operation === 'subscription' || isLive(operation)) return undefined
      // A name may be any text that a client sends: that of the operation is one of the document.
      const key = `${documentDigest(document)} ${operation.name?.value ?? ''}`
      const same = byDigest.get(key)
      // Of another document that says the same only what does not stand in it: errors show where they come from.
      const plan =
        same === undefined
          ? planOf(schema, document, operation, rules)
          : { ...same, operation, ...completed(schema, document, operation, rules, same.prefix) }
      if (plan === undefined) return undefined
      if (same === undefined) byDigest.set(key, plan)
      const plans = byDocument.get(document) ?? new Map<string, Plan>()
      byDocument.set(document, plans.set(name, plan))
      return plan
    },
  }
}

function planOf(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
  rules: Rules,
): Plan | undefined {
  const prefix = prefixFor(document)
  const complete = completed(schema, document, operation, rules, prefix)
  const shape = shapeOf(schema, complete.document, complete.executed, rules, prefix)
  if (shape === undefined) return undefined
  const digests = [`${schemaDigest(schema)} ${rules.digest}`, documentDigest(document)] as const
  const incremental = isDeferred(document)
  return { operation, ...complete, prefix, shape, ...saidIn(document, schema, rules), incremental, digests }
}

function completed(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
  rules: Rules,
  prefix: string,
): Pick<Plan, 'document' | 'executed'> {
  const complete = withAdditions(document, schema, rules, prefix)
  // It changes definitions, and takes none away.
  const executed = complete.definitions[document.definitions.indexOf(operation)] as OperationDefinitionNode
  return { document: complete, executed }
}

/** What is said of the fields in the document, whether they will be in the response or not. */
function saidIn(document: DocumentNode, schema: GraphQLSchema, rules: Rules): Pick<Plan, 'ttl' | 'private'> {
  const types = new TypeInfo(schema)
  let ttl: number | undefined
  let isPrivate = false
  visit(
    document,
    visitWithTypeInfo(types, {
      Field({ name }) {
        const type = types.getParentType()
        if (!type) return
        ttl = least(ttl, rules.field(type.name, name.value)?.fixed.ttl)
        if (isPrivate) return
        const owners = isAbstractType(type) ? [type, ...schema.getPossibleTypes(type)] : [type]
        isPrivate = owners.some((owner) => mayBePrivate(rules.field(owner.name, name.value), rules))
      },
    }),
  )
  return { ttl, private: isPrivate }
}

function mayBePrivate(rule: FieldRule | undefined, rules: Rules): boolean {
  if (rule === undefined) return false
  const { hint, returns, absent } = rule
  if (rule.private || absent.private) return true
  return hint.scope === undefined && returns.some((name) => rules.type(name).hint.scope === 'PRIVATE')
}

/** A query whose result comes anew whenever it changes. */
function isLive({ directives = [] }: OperationDefinitionNode): boolean {
  return directives.some(({ name }) => name.value === 'live')
}

function isDeferred(document: DocumentNode): boolean {
  let deferred = false
  visit(document, {
    Directive({ name }) {
      if (name.value === 'defer' || name.value === 'stream') deferred = true
    },
  })
  return deferred
}

function nodesOf(document: DocumentNode): number {
  let nodes = 0
  visit(document, {
    enter() {
      nodes++
    },
  })
  return nodes
}

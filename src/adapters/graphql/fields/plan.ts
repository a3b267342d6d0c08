import { type GraphQLOutputType, type GraphQLSchema, getNullableType, isLeafType } from 'graphql'
import { notAsync } from '../../../core/checks.ts'
import type { Internals } from '../../../core/internals.ts'
import { checkTags } from '../../../core/tag.ts'
import { schemaDigest } from '../documents/digests.ts'
import type { Annotation } from './annotations.ts'
import { entityTags } from './entities.ts'
import { type Lifetime, lifetimeOf } from './lifetime.ts'
import type { CachedField, FieldCall, FieldsSettings, ResolvedField } from './options.ts'
import { templateOf } from './templates.ts'

/** How a field is cached: what is said of it, checked against the schema. */
export interface FieldPlan extends Lifetime {
  readonly coordinate: string
  /** For messages: `field Product.reviews`. */
  readonly what: string
  /** Digest of the schema. */
  readonly schema: string
  readonly type: GraphQLOutputType
  readonly private: boolean
  /** Whether something of the context is in the key. */
  readonly varies: boolean
  /** What of the parent is in the key; nothing for fields of the query itself. @throws TypeError for one that can't be told from others */
  parentOf(parent: unknown): readonly (string | number | bigint)[]
  /** What of the context is in the key. @throws TypeError where it is not there */
  variedBy(context: unknown): readonly unknown[]
  /** @throws TypeError where they can't be told */
  tagsOf(field: ResolvedField): readonly string[]
  /** Those of an error: what is said of arguments and parent, and which types could be there. @throws as `tagsOf` */
  errorTagsOf(call: FieldCall): readonly string[]
  readonly serialize: CachedField['serialize']
  readonly revive: CachedField['revive']
}

/** @throws TypeError or RangeError for what the schema does not have, or what can't be */
export function fieldPlan(
  schema: GraphQLSchema,
  { coordinate, type, field, said }: Annotation,
  settings: FieldsSettings,
  internals: Internals,
): FieldPlan {
  const scope = said.scope ?? settings.defaultScope
  if (scope === undefined) {
    throw new TypeError(
      'it has no scope: say PUBLIC (the same for everybody) or PRIVATE (of a session), or give defaultScope',
    )
  }
  if (scope === 'PRIVATE' && settings.session === undefined) {
    throw new TypeError('its scope is PRIVATE, and there is no session: give session, a function of the context')
  }
  const { vary = [] } = said
  return {
    ...lifetimeOf(said, settings, internals),
    coordinate,
    what: `field ${coordinate}`,
    schema: schemaDigest(schema),
    type: field.type,
    private: scope === 'PRIVATE',
    varies: typeof vary === 'function' || vary.length > 0,
    parentOf: parentReader(schema, type, said.parentKey),
    variedBy: typeof vary === 'function' ? ownReader(vary) : pathsReader(vary),
    ...tagsReaders(schema, { coordinate, type, field, said }, settings),
    serialize: said.serialize,
    revive: said.revive,
  }
}

function parentReader(
  schema: GraphQLSchema,
  type: Annotation['type'],
  parentKey: CachedField['parentKey'],
): FieldPlan['parentOf'] {
  if (type === schema.getQueryType()) {
    if (parentKey !== undefined) throw new TypeError(`${type.name} has no parent: leave out parentKey`)
    return () => []
  }
  if (typeof parentKey === 'function') return (parent) => [identityOf(notAsync('parentKey', parentKey(parent)))]
  const name = parentKey ?? 'id'
  const field = type.getFields()[name]
  if (field === undefined) {
    throw new TypeError(
      `${type.name} has no field ${name} that tells one from another: say parentKey, the name of one that does, or in the extensions a function of the parent`,
    )
  }
  if (!isLeafType(getNullableType(field.type))) {
    throw new TypeError(
      `${type.name}.${name} is ${field.type}, not a text or a number: say parentKey, the name of a field that is, or in the extensions a function of the parent`,
    )
  }
  return (parent) => [identityOf((parent as Record<string, unknown> | null | undefined)?.[name])]
}

function identityOf(given: unknown): string | number | bigint {
  const fits = (typeof given === 'string' && given !== '') || Number.isFinite(given) || typeof given === 'bigint'
  if (!fits) {
    const what = given === null ? 'null' : typeof given
    throw new TypeError(
      `its parent is identified by ${what}, not by a text or a number: give parentKey in the extensions, a function of the parent`,
    )
  }
  return given as string | number | bigint
}

function ownReader(vary: (context: unknown) => unknown): FieldPlan['variedBy'] {
  return (context) => {
    const found = notAsync('vary', vary(context))
    if (found === undefined) throw new TypeError('vary gives undefined: null says none')
    return [found]
  }
}

/** Reads these paths, such as `user.tenant`. What is not there may be misspelt: then the same would be for everybody. */
function pathsReader(paths: readonly string[]): FieldPlan['variedBy'] {
  const all = paths.map((path) => ({ path, names: path.split('.') }))
  return (context) =>
    all.map(({ path, names }) => {
      const found = names.reduce<unknown>((value, name) => (value as Record<string, unknown> | null)?.[name], context)
      if (found === undefined)
        throw new TypeError(`it varies by ${path}, which the context does not have: null says none`)
      return found
    })
}

function tagsReaders(
  schema: GraphQLSchema,
  { coordinate, type, field, said }: Annotation,
  settings: FieldsSettings,
): Pick<FieldPlan, 'tagsOf' | 'errorTagsOf'> {
  const { tags = [] } = said
  const own = fieldTag(coordinate)
  const templates =
    typeof tags === 'function' ? [] : tags.map((text) => templateOf(text, { schema, parent: type, field }))
  const withEntities = said.entities ?? settings.entities

  function fixed(resolved: ResolvedField): Set<string> {
    const all = new Set([own])
    for (const template of templates) for (const tag of template.fill(resolved)) all.add(tag)
    if (!withEntities) return all
    const { idFields } = settings
    for (const tag of entityTags(resolved.result, field.type, { schema, idFields })) all.add(tag)
    return all
  }

  return {
    tagsOf(resolved) {
      if (typeof tags !== 'function') return [...fixed(resolved)]
      const given: unknown = notAsync('tags', tags(resolved))
      checkTags(given) // a text would come apart into its letters
      return [...new Set([own, ...given, ...fixed(resolved)])]
    },
    // A function of the result has none.
    errorTagsOf: (call) => [...fixed({ ...call, result: undefined })],
  }
}

/** Of all values of a field. */
function fieldTag(coordinate: string): string {
  return `field:${coordinate}`
}

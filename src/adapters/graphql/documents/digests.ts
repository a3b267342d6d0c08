import { createHash } from 'node:crypto'
import { type DocumentNode, type GraphQLSchema, print, printSchema } from 'graphql'

const digests = new WeakMap<object, string>()

/** Of the printed schema: deployments with another one do not read each other's responses. Servers keep theirs: once each. */
export function schemaDigest(schema: GraphQLSchema): string {
  return digestOf(schema, () => printSchema(schema))
}

/**
 * Of what a document says: white space, comments and the order of its definitions do not count. By the document itself,
 * never by the text it was parsed from: a plugin may have changed it since, for this user only.
 */
export function documentDigest(document: DocumentNode): string {
  return digestOf(document, () => document.definitions.map(print).sort().join('\n'))
}

function digestOf(source: object, text: () => string): string {
  let digest = digests.get(source)
  if (digest === undefined) {
    digest = createHash('sha256').update(text()).digest('base64url')
    digests.set(source, digest)
  }
  return digest
}

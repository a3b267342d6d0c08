import { buildSchema, parse } from 'graphql'
import { describe, expect, it } from 'vitest'
import { documentDigest, schemaDigest } from '../../../src/adapters/graphql/documents/digests.ts'
import { copyOf } from '../../../src/adapters/graphql/results/data.ts'

const idOf = (sdl: string) => schemaDigest(buildSchema(sdl))

describe('the key of an operation', () => {
  it('does not depend on white space, comments or the order of definitions', () => {
    const digest = documentDigest(parse('query A { ...F } fragment F on Query { report }'))
    expect(documentDigest(parse('# of reports\nfragment F on Query { report }\n\nquery A {\n  ...F\n}'))).toBe(digest)
    expect(documentDigest(parse('query A { ...F } fragment F on Query { other: report }'))).not.toBe(digest)
  })

  it('has the schema in it: what two schemas answer to one document is not the same', () => {
    expect(idOf('type Query { report: String }')).not.toBe(idOf('type Query { report: String secret: String }'))
  })

  it('is the same for one schema in two processes, whatever its white space', () => {
    expect(idOf('type Query { report: String }')).toBe(idOf('type Query {\n  report: String\n}'))
  })
})

it('a copy of a result keeps what is named __proto__, and inherits nothing from it', () => {
  const scalar = JSON.parse('{"__proto__":{"admin":true},"a":[1]}')
  const copy = copyOf({ data: { scalar } }).data.scalar
  expect(JSON.stringify(copy)).toBe(JSON.stringify(scalar))
  expect(copy.admin).toBeUndefined()
  expect(copy.a).not.toBe(scalar.a)
})

import { buildSchema, parse } from 'graphql'
import { describe, expect, it } from 'vitest'
import { copyOf, operationKey } from '../../../src/adapters/graphql/operation.ts'
import { keyId } from '../../../src/core/key.ts'

const document = parse('{ report }')
const idOf = (sdl: string) => keyId(operationKey({ schema: buildSchema(sdl), document }, null))

describe('the key of an operation', () => {
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

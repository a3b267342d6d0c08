import { TRPCError } from '@trpc/server'
import { expect, test } from 'vitest'
import { told } from '../../../src/adapters/trpc/errors.ts'

/** As the cache's other build throws it: the class is another one. */
const foreign = (name: string, code: unknown) => Object.assign(new Error('message'), { name, code })

test.each([
  ['TRPCError', 'CONFLICT', 'CONFLICT'],
  ['WaitTimeoutError', 'WAIT_TIMEOUT', 'TIMEOUT'],
])('a %s of %s is a TRPCError of %s, whatever build it is of', (name, code, expected) => {
  const error = foreign(name, code)
  const said = told(error, undefined)
  expect(said).toBeInstanceOf(TRPCError)
  expect(said).toMatchObject({ code: expected, message: 'message', cause: error })
})

test.each([
  ['TRPCError', 'toString'],
  ['TRPCError', 7],
  ['RangeError', 'CONFLICT'],
])('a %s of %s stays what it is', (name, code) => {
  const error = foreign(name, code)
  expect(told(error, undefined)).toBe(error)
})

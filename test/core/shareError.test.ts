import { describe, expect, it } from 'vitest'
import { isShareable } from '../../src/core/errors.ts'
import { LoaderError } from '../../src/index.ts'
import { onEveryStore } from './everyStore.ts'
import { createOrigin } from './origin.ts'

const of = (properties: object) => Object.assign(new Error('it failed'), properties)

const SHAREABLE: readonly unknown[] = [
  new Error('it failed'),
  new TypeError('undefined is not a function'),
  of({ code: 'ECONNREFUSED' }),
  of({ status: 500 }),
  of({ statusCode: 404 }),
  of({ extensions: { code: 'BAD_USER_INPUT', http: { status: 400 } } }),
  of({ status: 4010, code: 'E1403' }),
  new Error('no forbiddenness'),
  'a string',
  { message: 'an object' },
  undefined,
  null,
  42,
  of({ name: 'TimeoutError' }),
]

const PERSONAL: readonly unknown[] = [
  of({ status: 401 }),
  of({ statusCode: 403 }),
  of({ status: '401' }),
  of({ code: 403 }),
  of({ code: 'UNAUTHENTICATED' }),
  of({ code: 'UNAUTHORIZED' }),
  of({ extensions: { code: 'FORBIDDEN' } }),
  of({ extensions: { http: { status: 401 } } }),
  of({ name: 'Forbidden' }),
  new Error('Request failed with status code 403'),
  new Error('unauthorised'),
  '401 Unauthorized',
  new Error('it failed', { cause: of({ status: 401 }) }),
  new Error('it failed', { cause: new Error('so did this', { cause: { code: 'FORBIDDEN' } }) }),
]

const ABORTS: readonly unknown[] = [
  new DOMException('This operation was aborted', 'AbortError'),
  new DOMException('The operation timed out', 'TimeoutError'),
  of({ name: 'AbortError' }),
  new Error('it failed', { cause: of({ name: 'AbortError' }) }),
]

describe('by default', () => {
  it.for(SHAREABLE)('%o is told to those who wait', (error) => {
    expect(isShareable(error)).toBe(true)
  })

  it.for([...PERSONAL, ...ABORTS])('%o is not', (error) => {
    expect(isShareable(error)).toBe(false)
  })

  it('causes that are a circle come to an end', () => {
    const error = new Error('it failed')
    error.cause = error
    expect(isShareable(error)).toBe(true)
  })
})

onEveryStore((service) => {
  /** What a leader's error becomes in another instance: an error, or `'own'` where it runs its own loader. */
  async function seenElsewhere(error: unknown, shareError?: (error: unknown) => boolean): Promise<unknown> {
    const [a, b] = [await service.open({ shareError }), await service.open({ shareError })]
    const origin = createOrigin()
    const led = a.cache.getOrSet('key', origin.load).catch((reason: unknown) => reason)
    const run = await origin.started()
    const followed = b.cache.getOrSet('key', origin.load).catch((reason: unknown) => reason)
    await b.trace.saw('follow')
    run.fail(error)
    expect(await led).toBe(error)
    const [event] = b.trace.of('followed').concat(await b.trace.saw('followed'))
    if (event?.outcome !== 'error') (await origin.started(2)).finish('own')
    return followed
  }

  it('a shared error is a LoaderError with name, message, code and extensions, and no stack', async () => {
    const error = Object.assign(new RangeError('too much'), {
      code: 'E_MUCH',
      extensions: { code: 'MUCH', at: [1, { deep: true }] },
      secret: 'password',
      cause: new Error('not told'),
    })
    const seen = (await seenElsewhere(error)) as LoaderError
    expect(seen).toBeInstanceOf(LoaderError)
    expect(seen).toBeInstanceOf(Error)
    expect(seen.name).toBe('RangeError')
    expect(seen.message).toBe('too much')
    expect(seen.code).toBe('E_MUCH')
    expect(seen.extensions).toEqual({ code: 'MUCH', at: [1, { deep: true }] })
    expect(seen.stack).toBeUndefined()
    expect(Object.keys(seen).sort()).toEqual(['code', 'extensions', 'name'])
    expect(seen.cause).toBeUndefined()
  })

  it('what is no Error is told by its text', async () => {
    const seen = (await seenElsewhere('a string')) as LoaderError
    expect(seen).toMatchObject({ name: 'Error', message: 'a string' })
    expect(seen).not.toHaveProperty('code')
  })

  it("an error of one caller's rights is not told", async () => {
    expect(await seenElsewhere(of({ status: 403 }))).toBe('own')
  })

  it('an error that can not travel is not told', async () => {
    expect(await seenElsewhere(of({ extensions: { big: 1n } }))).toBe('own')
  })

  it('one that is larger than 64 KiB is not', async () => {
    expect(await seenElsewhere(new Error('x'.repeat(65 * 1024)))).toBe('own')
  })

  it('shareError decides', async () => {
    expect(await seenElsewhere(new Error('it failed'), () => false)).toBe('own')
    expect(await seenElsewhere(of({ status: 403 }), () => true)).toBeInstanceOf(LoaderError)
  })

  it('an abort is not told, whatever shareError says', async () => {
    expect(await seenElsewhere(of({ name: 'AbortError' }), () => true)).toBe('own')
  })
})

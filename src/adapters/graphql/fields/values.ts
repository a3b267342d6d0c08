import { fitOf } from '../../../core/fit.ts'

/** What came of looking at a resolver's value. */
export type Looked =
  /** It can be kept; `value` is it, with what was promised in its lists. */
  | { readonly type: 'fit'; readonly value: unknown }
  /** A member of a list failed: that is the member's affair, and the rest of no use to others. */
  | { readonly type: 'failed' }
  /** It could not be restored. */
  | { readonly type: 'unfit'; readonly reason: string; readonly path: string }

/** Looks whether the value of a resolver can be kept. Its promises are awaited only as members of lists, as an executor does. */
export async function lookAt(value: unknown): Promise<Looked> {
  const settled = await settle(value)
  if (settled === FAILED) return { type: 'failed' }
  const fit = fitOf(settled)
  return fit.type === 'unfit' ? fit : { type: 'fit', value: settled }
}

const FAILED = Symbol('failed')

async function settle(value: unknown): Promise<unknown> {
  if (!Array.isArray(value) || !value.some(isOpen)) return value
  const members = await Promise.allSettled(value.map(async (member) => settle(await member)))
  const values = members.map((member) => (member.status === 'fulfilled' ? member.value : FAILED))
  return values.some((member) => member === FAILED || member instanceof Error) ? FAILED : values
}

/** Whether the member of a list is not simply a value: a promise, an error, or a list itself. */
function isOpen(member: unknown): boolean {
  if (typeof member !== 'object' || member === null) return false
  return member instanceof Error || Array.isArray(member) || typeof (member as { then?: unknown }).then === 'function'
}

import { type GraphQLOutputType, getNullableType, isListType, isNonNullType } from 'graphql'
import { messageOf } from '../../../core/errors.ts'

/** In place of a list in which members failed: that is their affair, and the rest of no use to others. */
export class FailedMembers extends Error {
  override readonly name = 'FailedMembers'
  /** At least one. */
  readonly errors: readonly unknown[]
  constructor(errors: readonly unknown[]) {
    super(`${errors.length} in its list failed: ${messageOf(errors[0])}`, { cause: errors[0] })
    this.errors = errors
  }
}

/**
 * What a resolver gave, with what was promised in its lists: executors await promises as members of lists too. `FailedMembers` where
 * one of them failed. Never rejects.
 */
export async function settled(value: unknown): Promise<unknown> {
  if (!Array.isArray(value) || !value.some(isOpen)) return value
  const members = await Promise.allSettled(value.map(async (member) => settled(await member)))
  const errors = members.flatMap((member) => {
    if (member.status === 'rejected') return [member.reason]
    if (member.value instanceof FailedMembers) return member.value.errors
    return member.value instanceof Error ? [member.value] : []
  })
  return errors.length > 0
    ? new FailedMembers(errors)
    : members.map((member) => (member as PromiseFulfilledResult<unknown>).value)
}

/** Whether the member of a list is not simply a value: a promise, an error, or a list itself. */
function isOpen(member: unknown): boolean {
  if (typeof member !== 'object' || member === null) return false
  return member instanceof Error || Array.isArray(member) || typeof (member as { then?: unknown }).then === 'function'
}

/** Whether an executor refuses the value for its type: null where none may be, or no list. What leaves are is not looked at. */
export function isRefusedBy(type: GraphQLOutputType, value: unknown): boolean {
  if (value === null || value === undefined) return isNonNullType(type)
  const given = getNullableType(type)
  if (!isListType(given)) return false
  if (typeof value !== 'object' || !(Symbol.iterator in value)) return true
  return (membersOf(value) ?? []).some((member) => isRefusedBy(given.ofType, member))
}

/** Of a list that can be read more than once: executors take any iterable for one. */
export function membersOf(value: unknown): readonly unknown[] | undefined {
  return value instanceof Set ? [...value] : Array.isArray(value) ? value : undefined
}

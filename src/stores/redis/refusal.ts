import { StoreError } from '../../core/errors.ts'

/** A right that is missing, as an ACL has it, and what follows. */
interface Lack {
  readonly missing: string
  readonly follows: string | undefined
}

const WITHOUT_SCRIPTS = 'without scripts instances do not coordinate, and nothing is stored'
const WITHOUT_MESSAGES =
  'without messages who waits asks again and again, and writes and invalidations are not confirmed'

/** By command. */
const FOLLOWS = new Map([
  ['eval', WITHOUT_SCRIPTS],
  ['evalsha', WITHOUT_SCRIPTS],
  ['publish', WITHOUT_MESSAGES],
  ['subscribe', WITHOUT_MESSAGES],
  ['info', 'without it nobody knows whether it may drop keys'],
])

/**
 * An answer of the server that says no: from a command, or from a script about one of several calls. Of what its user may not do it
 * says what to grant.
 */
export function refusalOf(said: string, options: ErrorOptions = {}): StoreError {
  if (/\bWRONGTYPE\b/.test(said)) return new StoreError('WRONG_TYPE', said, options)
  const lack = lackIn(said)
  if (lack === undefined) return new StoreError('REFUSED', said, options)
  const { missing, follows } = lack
  const message = `${withoutArguments(said)}; the server's user needs ${missing}${follows === undefined ? '' : `: ${follows}`}`
  return new StoreError('REFUSED', `${message} (see docs/redis.md)`, { ...options, missing })
}

/** In the words of Redis 6.2, of Redis 7, and of Valkey and newer ones. */
function lackIn(said: string): Lack | undefined {
  const [, command] =
    /permissions to run the '([^']+)' command/.exec(said) ?? /unknown command [`']([^`' ]+)[`']/i.exec(said) ?? []
  if (command !== undefined) return lackOf(command.toLowerCase())
  if (/can't run this command/.test(said)) return { missing: '+@read +@write +time', follows: undefined }
  if (/\bkeys? (?:used|mentioned)|access a key/.test(said)) {
    return { missing: '~<namespace>:*', follows: 'without its keys there is no cache' }
  }
  if (/\bchannels? (?:used|mentioned)|access a channel/.test(said)) {
    return { missing: '&<namespace>:*', follows: WITHOUT_MESSAGES }
  }
  return undefined
}

function lackOf(command: string): Lack {
  // A script is sent by the one or the other: who lacks one is told of both at once.
  const missing = command === 'eval' || command === 'evalsha' ? '+eval +evalsha' : `+${command}`
  return { missing, follows: FOLLOWS.get(command) }
}

/** Of a command that it does not know a server repeats the arguments: users' data, and errors are logged. */
function withoutArguments(said: string): string {
  return said.replace(/,? with args beginning with:.*$/s, '')
}

import { expect, test } from 'vitest'
import { refusalOf } from '../../../src/stores/redis/refusal.ts'

test.each([
  // Redis 6.2
  ["NOPERM this user has no permissions to run the 'eval' command or its subcommand", '+eval +evalsha'],
  ['ERR unknown command `EVAL`, with args beginning with: `local x` `1` `shop:{secret}`, ', '+eval +evalsha'],
  // Redis 7.0
  ["NOPERM this user has no permissions to run the 'cluster|slots' command", '+cluster|slots'],
  ['NOPERM this user has no permissions to access one of the keys used as arguments', '~<namespace>:*'],
  ['NOPERM this user has no permissions to access one of the channels used as arguments', '&<namespace>:*'],
  ["ERR unknown command 'EVAL', with args beginning with: 'local x' '1' 'shop:{secret}' ", '+eval +evalsha'],
  [
    "ERR The user executing the script can't run this command or subcommand script: 15e2, on @user_script:1.",
    '+@read +@write +time',
  ],
  [
    "ERR The user executing the script can't access at least one of the keys mentioned in the command arguments",
    '~<namespace>:*',
  ],
  ["ERR The user executing the script can't publish to the channel mentioned in the command", '&<namespace>:*'],
  // Valkey 8.0
  ["NOPERM User u has no permissions to run the 'info' command", '+info'],
  ['NOPERM No permissions to access a key', '~<namespace>:*'],
  ['NOPERM No permissions to access a channel', '&<namespace>:*'],
  [
    "ERR ACL failure in script: User u has no permissions to run the 'hset' command script: 15e2, on @user_script:1.",
    '+hset',
  ],
])('%s: what is missing is said', (said, missing) => {
  const error = refusalOf(said)
  expect(error).toMatchObject({ name: 'StoreError', code: 'REFUSED', missing })
  expect(error.message).toContain(`the server's user needs ${missing}`)
  expect(error.message).not.toContain('secret')
})

test.each([
  ['OOM command not allowed when used memory > ‘maxmemory’.', 'REFUSED'],
  ["READONLY You can't write against a read only replica.", 'REFUSED'],
  ['WRONGTYPE Operation against a key holding the wrong kind of value', 'WRONG_TYPE'],
])('%s: is no lack of a right', (said, code) => {
  expect(refusalOf(said)).toMatchObject({ code, message: said, missing: undefined })
})

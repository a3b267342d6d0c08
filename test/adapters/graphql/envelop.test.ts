import { describe } from 'vitest'
import { STORES } from '../stores.ts'
import { describeResponses } from './contract.ts'
import { serveEnvelop } from './serveEnvelop.ts'
import { useTown } from './shop.ts'

describe.each(STORES)('two servers on node:http and plain envelop over $name', ({ make }) => {
  describeResponses(useTown(serveEnvelop, make))
})

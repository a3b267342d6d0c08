import { describe } from 'vitest'
import { STORES } from '../stores.ts'
import { describeResponses } from './contract.ts'
import { serveYoga } from './serveYoga.ts'
import { useTown } from './shop.ts'

describe.each(STORES)('two Yoga servers over $name', ({ make }) => {
  describeResponses(useTown(serveYoga, make))
})

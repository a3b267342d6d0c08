import type * as GraphQL16 from 'graphql'
import * as graphql17 from 'graphql17'
import { describe, expect, test, vi } from 'vitest'
import { STORES } from '../stores.ts'
import { describeResponses } from './contract.ts'
import { serveEnvelop } from './serveEnvelop.ts'
import { useTown } from './shop.ts'

// The adapter's own graphql-js too: a project has one version only. Envelop imports none.
vi.mock('graphql', () => import('graphql17'))

test('it is graphql-js 17 that runs, also in the adapter', async () => {
  expect((await import('graphql')).version).toMatch(/^17\./)
})

describe.each(STORES)('two servers on node:http, plain envelop and graphql-js 17 over $name', ({ make }) => {
  describeResponses(useTown(serveEnvelop, make), { graphql: graphql17 as unknown as typeof GraphQL16 })
})

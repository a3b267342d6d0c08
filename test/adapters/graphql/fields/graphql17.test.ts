import type * as GraphQL16 from 'graphql'
import * as graphql17 from 'graphql17'
import { describe, expect, test, vi } from 'vitest'
import { STORES } from '../../stores.ts'
import { useTown } from '../shop.ts'
import { describeFields } from './contract.ts'
import { describeOwnDefinition } from './ownDefinition.ts'
import { serveEnvelop, serveGraphqlJs } from './serving.ts'

// The adapter's own graphql-js too: a project has one version only. Envelop imports none.
vi.mock('graphql', () => import('graphql17'))

test('it is graphql-js 17 that runs, also in the adapter', async () => {
  expect((await import('graphql')).version).toMatch(/^17\./)
})

describeOwnDefinition(graphql17 as unknown as typeof GraphQL16)

describe.each([
  { server: 'plain envelop', serve: serveEnvelop },
  { server: 'graphql-js alone', serve: serveGraphqlJs },
])('two servers of $server with graphql-js 17', ({ serve }) => {
  describe.each(STORES)('over $name', ({ make }) => {
    describeFields(useTown(serve, make), { graphql: graphql17 as unknown as typeof GraphQL16 })
  })
})

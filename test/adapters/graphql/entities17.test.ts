import type * as GraphQL16 from 'graphql'
import * as graphql17 from 'graphql17'
import { describe, inject, vi } from 'vitest'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { describeEntities } from './entities.ts'
import { serveEnvelop } from './serveEnvelop.ts'
import { useTown } from './shop.ts'

// The adapter's own graphql-js too: a project has one version only. Envelop imports none.
vi.mock('graphql', () => import('graphql17'))

describe('entities of responses, in plain envelop with graphql-js 17', () => {
  const open = useTown(serveEnvelop, () => redisStore(inject('redisUrl')))
  describeEntities(open, { graphql: graphql17 as unknown as typeof GraphQL16 })
})

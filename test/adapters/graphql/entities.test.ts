import { describe, inject } from 'vitest'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { describeEntities } from './entities.ts'
import { serveEnvelop } from './serveEnvelop.ts'
import { serveYoga } from './serveYoga.ts'
import { useTown } from './shop.ts'

describe.each([
  { framework: 'Yoga', serve: serveYoga },
  { framework: 'envelop', serve: serveEnvelop },
])('entities of responses, in $framework', ({ serve }) => {
  describeEntities(useTown(serve, () => redisStore(inject('redisUrl'))))
})

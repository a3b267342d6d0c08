import { describe } from 'vitest'
import { STORES } from '../../stores.ts'
import { useTown } from '../shop.ts'
import { describeFields } from './contract.ts'
import {
  serveApollo4,
  serveApollo5,
  serveEnvelop,
  serveGraphqlJs,
  serveJit,
  serveJitAfter,
  serveMercurius,
  serveMercuriusJit,
  serveToolsExecutor,
  serveYoga,
} from './serving.ts'

describe.each([
  { server: 'GraphQL Yoga', serve: serveYoga },
  { server: 'plain envelop', serve: serveEnvelop },
  { server: 'envelop with graphql-jit before the plugin', serve: serveJit },
  { server: 'envelop with graphql-jit after the plugin', serve: serveJitAfter },
  { server: 'Apollo Server 5', serve: serveApollo5 },
  { server: 'Apollo Server 4', serve: serveApollo4 },
  { server: 'Mercurius', serve: serveMercurius },
  { server: 'Mercurius with graphql-jit', serve: serveMercuriusJit },
  { server: 'graphql-js 16', serve: serveGraphqlJs },
  { server: '@graphql-tools/executor', serve: serveToolsExecutor },
])('two servers of $server', ({ serve }) => {
  describe.each(STORES)('over $name', ({ make }) => {
    describeFields(useTown(serve, make))
  })
})

import { createYoga, type Plugin } from 'graphql-yoga'
import { useAtomCache } from '../../../src/adapters/graphql/yoga.ts'
import { serveHttp } from '../http.ts'
import type { Site } from './shop.ts'

/** GraphQL Yoga on node:http. */
export function serveYoga({ cache, schema, session, before, after, options }: Site) {
  const yoga = createYoga({
    schema,
    logging: false,
    context: ({ request }) => ({ user: request.headers.get('authorization') ?? undefined }),
    plugins: [
      ...(before as Plugin[]),
      useAtomCache<{ user: string | undefined }>({
        cache,
        ttl: 60_000,
        session: (_request, context) => session(context),
        ...options,
      }),
      ...(after as Plugin[]),
    ],
  })
  return serveHttp(yoga)
}

// The same for plain envelop, whatever serves the HTTP.
//   curl localhost:4000 -d '{"query":"{ product(id: 42) }"}'
import { createServer } from 'node:http'
import { json } from 'node:stream/consumers'
import { envelop, useEngine, useSchema } from '@envelop/core'
import { createCache } from 'atomcache'
import { useAtomCache } from 'atomcache/envelop'
import { redisStore } from 'atomcache/redis'
import * as graphql from 'graphql'

const { PORT = '4000', REDIS_URL } = process.env

const cache = createCache({ namespace: 'envelop', store: REDIS_URL === undefined ? undefined : redisStore(REDIS_URL) })

const schema = graphql.buildSchema('type Query { product(id: ID!): String }')
const rootValue = {
  product({ id }: { id: string }) {
    console.log(`computing product ${id}`)
    return `Product ${id}, ${Math.random()}`
  },
}
const getEnveloped = envelop({
  plugins: [useEngine(graphql), useSchema(schema), useAtomCache({ cache, ttl: 60_000, session: () => null })],
})

const server = createServer(async (request, response) => {
  const { parse, validate, contextFactory, execute } = getEnveloped({ request })
  try {
    const { query, variables: variableValues } = (await json(request)) as { query: string; variables?: object }
    const document = parse(query)
    const [problem] = validate(schema, document)
    if (problem !== undefined) throw problem
    const result = await execute({ schema, rootValue, document, variableValues, contextValue: await contextFactory() })
    response.setHeader('content-type', 'application/json').end(JSON.stringify(result))
  } catch (error) {
    response.writeHead(400).end(String(error))
  }
})
server.listen(PORT, () => console.log('listening on', server.address()))

import { createServer } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream } from 'node:stream/web'
import { incomingMessageToRequest } from '@trpc/server/adapters/node-http'
import { GET, POST } from '../examples/trpcNext.ts'

// What Next.js does with the route of examples/trpcNext.ts, as a process of its own.
const server = createServer(async (incoming, response) => {
  const request = incomingMessageToRequest(incoming, response, { maxBodySize: null })
  const answer = await (request.method === 'POST' ? POST : GET)(request)
  response.writeHead(answer.status, Object.fromEntries(answer.headers))
  await pipeline(Readable.fromWeb(answer.body as ReadableStream), response)
})
server.listen(Number(process.env.PORT), () => console.log('listening on', server.address()))

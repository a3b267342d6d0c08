import { redisStore } from 'atomcache/redis'
import { type ServerOptions, startServer } from './server.ts'

/** What a child process is told by its arguments, and what it tells by its channel. */
export type ChildOptions = ServerOptions & { readonly redis: string }

const { redis, ...options } = JSON.parse(process.argv[2] ?? '') as ChildOptions

// Ctrl-C reaches the whole group: the parent ends all in order, and this process with its channel.
process.on('SIGINT', () => {})
process.on('disconnect', () => process.exit())

/** Where nobody listens any more, this process is about to end. */
function tell(message: object): void {
  process.send?.(message, undefined, undefined, () => {})
}

const { url } = await startServer(options, redisStore(redis), (event) => {
  // Errors don't travel; their words do.
  tell('error' in event ? { ...event, error: String(event.error) } : event)
})
// Messages keep their order: this one comes after all events so far.
process.on('message', () => tell({ type: 'heard' }))
tell({ type: 'ready', url })

import type { Redis } from 'ioredis'
import { StoreError } from '../../core/errors.ts'
import type { Link, StoreEvent } from '../../core/store.ts'
import { type Connection, connect, translate } from './connection.ts'
import type { Names } from './keys.ts'
import { decodeMessage, decodeNotice, PROBE } from './messages.ts'
import { createProbe } from './probe.ts'

/** The connection on which one cache hears its inbox and the bus. */
export interface Subscription {
  /** Resolves when it was confirmed once; rejects with `CLOSED` when it is closed. */
  confirmed(): Promise<void>
  close(): Promise<void>
}

/** ms until a refused subscription is tried again. */
const SUBSCRIBE_AGAIN_AFTER = 5000
/** ms from a connection to its subscription: who takes connections may be silent, and another node of a cluster not. */
const OPEN_LIMIT = 3000

/**
 * Subscribes at each connection by itself: what resubscribes in silence hides that messages were lost in between.
 *
 * @param client that is ours, as soon as one can be had
 * @param publish on another connection
 */
export function subscribe(
  client: Redis | Promise<Redis>,
  names: Names,
  link: Link,
  publish: (channel: string, message: string) => Promise<unknown>,
): Subscription {
  const inbox = names.inbox(link.instanceId)
  const fault = (error: unknown) => link.tell({ type: 'fault', error })
  let connection: Connection | undefined
  let again: NodeJS.Timeout | undefined
  let opening: NodeJS.Timeout | undefined
  let closed = false
  let confirm!: () => void
  let never!: (error: unknown) => void
  const confirmed = new Promise<void>((resolve, reject) => {
    confirm = resolve
    never = reject
  })
  confirmed.catch(() => undefined) // told to those who wait for it; nobody may
  const probe = createProbe(sendProbe, {
    lost: () => connection?.client.disconnect(true),
    doubted: () => link.tell({ type: 'inbox', confirmed: false }),
    sure: () => link.tell({ type: 'inbox', confirmed: true }),
  })

  async function sendProbe(): Promise<void> {
    try {
      await publish(inbox, PROBE)
    } catch (error) {
      // Nothing else may tell of this one for long.
      if (error instanceof StoreError && error.missing !== undefined) fault(error)
      throw error
    }
  }

  function open(own: Redis): void {
    // Timers run before sockets are read: after a blocked event loop the reply may be here already.
    const mine = setTimeout(() => setImmediate(() => opening === mine && own.disconnect(true)), OPEN_LIMIT)
    opening = mine
  }

  function opened(): void {
    clearTimeout(opening)
    opening = undefined
  }

  async function subscribeNow(to: Redis): Promise<void> {
    try {
      await to.subscribe(inbox, names.bus)
      opened()
      link.tell({ type: 'inbox', confirmed: true })
      confirm()
      probe.start()
    } catch (error) {
      // A lost connection subscribes when it is back; a refusal (ACL) may be mended while the connection lives.
      if (closed || to.status !== 'ready') return
      opened()
      fault(translate(error))
      again = setTimeout(() => void subscribeNow(to), SUBSCRIBE_AGAIN_AFTER)
    }
  }

  function receive(channel: Buffer, bytes: Buffer): void {
    if (bytes.length === PROBE.length && bytes.toString() === PROBE) {
      probe.heard()
      return
    }
    const event = channel.toString() === inbox ? messageEvent(bytes) : noticeEvent(bytes)
    if (event === undefined) fault(new Error(`a message on ${channel.toString()} that is not ours`))
    else link.tell(event)
  }

  function start(own: Redis): void {
    if (closed) return
    connection = connect(own, link.commandTimeout, {
      fault,
      up: () => void subscribeNow(own),
      down() {
        clearTimeout(again)
        opened()
        probe.stop()
        link.tell({ type: 'inbox', confirmed: false })
      },
    })
    own.on('connect', () => open(own))
    own.on('messageBuffer', receive)
  }

  // Closed before one could be had: there is nothing to hear.
  if (client instanceof Promise) client.then(start, (error) => closed || fault(error))
  else start(client)

  return {
    confirmed: () => confirmed,
    async close() {
      closed = true
      clearTimeout(again)
      opened()
      probe.stop()
      never(new StoreError('CLOSED', 'the cache was closed'))
      await connection?.close()
    },
  }
}

function messageEvent(bytes: Buffer): StoreEvent | undefined {
  const message = decodeMessage(bytes)
  return message && { type: 'message', message }
}

function noticeEvent(bytes: Buffer): StoreEvent | undefined {
  const notice = decodeNotice(bytes)
  return notice && { type: 'notice', notice }
}

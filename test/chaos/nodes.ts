import { setTimeout as delay } from 'node:timers/promises'
import type { Random } from '../core/schedule/random.ts'
import type { Proxied, ServerNode } from '../redis/clusterNode.ts'
import { type Disaster, EVERYBODY } from './servers.ts'

/** What can befall servers that are several, each behind a proxy. */
export interface NodesHarm {
  readonly disasters: Readonly<
    Record<'killClients' | 'killSubscribers' | 'forgetScripts' | 'cut' | 'blackhole' | 'delay', Disaster>
  >
  /**
   * What moves slots or roles, or keeps a server from answering: one after another, or the servers might not recover.
   * `after`: what the next one waits for too, when this one is over.
   */
  alone(disaster: Disaster, after?: () => Promise<unknown>): Disaster
}

type Node = Proxied<ServerNode>

export function harmTo(nodes: readonly Node[], latencies: readonly number[]): NodesHarm {
  let before: Promise<unknown> = Promise.resolve()
  for (const [place, { proxy }] of nodes.entries()) proxy.delay(latencyOf(place))

  function latencyOf(place: number): number {
    return latencies[place % latencies.length] ?? 0
  }

  /** Does harm to the lines of one node, or now and then of all, for a while. */
  function toLines(
    most: number,
    begin: (node: Node, random: Random) => void,
    end: (node: Node, place: number) => void,
  ) {
    return async (random: Random) => {
      const everybody = random.chance(0.2)
      const chosen = random.below(nodes.length)
      const befallen = nodes
        .map((node, place) => ({ node, place }))
        .filter(({ place }) => everybody || place === chosen)
      for (const { node } of befallen) begin(node, random)
      await delay(random.next() * most)
      for (const { node, place } of befallen) end(node, place)
      return EVERYBODY
    }
  }

  function alone(disaster: Disaster, after: () => Promise<unknown> = async () => undefined): Disaster {
    return (random) => {
      const turn = before.then(() => disaster(random))
      before = turn.then(after).catch(() => undefined) // the next one begins with what is there, and fails if that is bad
      return turn
    }
  }

  function killing(type: 'normal' | 'pubsub'): Disaster {
    return alone(async (random) => {
      for (const node of nodes)
        if (random.chance(0.5)) await node.ask('CLIENT', 'KILL', 'TYPE', type).catch(() => undefined)
      return EVERYBODY
    })
  }

  return {
    alone,
    disasters: {
      killClients: killing('normal'),
      killSubscribers: killing('pubsub'),
      async forgetScripts() {
        await Promise.all(nodes.map((node) => node.ask('SCRIPT', 'FLUSH').catch(() => undefined)))
        return EVERYBODY
      },
      cut: toLines(
        0,
        ({ proxy }) => proxy.cut(),
        () => undefined,
      ),
      blackhole: toLines(
        500,
        ({ proxy }) => proxy.blackhole(true),
        ({ proxy }) => proxy.blackhole(false),
      ),
      delay: toLines(
        600,
        ({ proxy }, random) => proxy.delay(20 + random.next() * 200),
        ({ proxy }, place) => proxy.delay(latencyOf(place)),
      ),
    },
  }
}

/** So many are waited for at most: the first ones' budget runs meanwhile. */
const MAX_REPLIES = 1000
/** The part of the command budget that replies wait for others. */
export const PATIENCE_SHARE = 0.1
interface Group {
  size: number
  /** Whether commands of the same moment may still join. */
  open: boolean
  /** Replies that are not there yet. */
  left: number
  /** Those that are there. */
  replies: (() => void)[]
  /** From the first reply on; then what is late comes by itself. */
  timer?: NodeJS.Timeout
  late: boolean
}

/**
 * Gives the replies to commands that a server was sent in one moment in one moment too, when all are there: what their
 * callers do next, such as claiming what they did not find, or loading what they claimed, is of one moment again. Where one
 * fails the others do not.
 *
 * @param patience ms that those which are there wait for the others: one may come from a server that is silent
 */
export function gatherReplies(patience: number): <T>(server: string, reply: Promise<T>) => Promise<T> {
  const groups = new Map<string, Group>()

  function groupOf(server: string): Group {
    const last = groups.get(server)
    if (last !== undefined && last.size < MAX_REPLIES) return last
    const group = { size: 0, open: true, left: 0, replies: [], late: false }
    groups.set(server, group)
    // Asked for by a promise it comes when no promise has anything to go on with any more.
    process.nextTick(() => {
      group.open = false
      if (groups.get(server) === group) groups.delete(server)
      give(group)
    })
    return group
  }

  return (server, reply) => {
    const group = groupOf(server)
    group.size++
    group.left++
    return new Promise((resolve, reject) => {
      const arrived = (settle: () => void) => {
        group.left--
        group.replies.push(settle)
        give(group)
        if (group.left > 0) group.timer ??= setTimeout(giveUp, patience, group)
      }
      reply.then(
        (value) => arrived(() => resolve(value)),
        (error) => arrived(() => reject(error)),
      )
    })
  }
}

function give(group: Group): void {
  if (!group.late && (group.open || group.left > 0)) return
  clearTimeout(group.timer)
  const { replies } = group
  group.replies = []
  for (const settle of replies) settle()
}

function giveUp(group: Group): void {
  group.late = true
  give(group)
}

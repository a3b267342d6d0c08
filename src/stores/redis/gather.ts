/** So many are waited for at most: the first ones' budget runs meanwhile. */
const MAX_REPLIES = 1000

interface Group {
  size: number
  /** Whether commands of the same moment may still join. */
  open: boolean
  /** Replies that are not there yet. */
  left: number
  readonly replies: (() => void)[]
}

/**
 * Gives the replies to commands that a server was sent in one moment in one moment too, when all are there: what their
 * callers do next, such as claiming what they did not find, or loading what they claimed, is of one moment again. Where one
 * fails the others do not.
 */
export function gatherReplies(): <T>(server: string, reply: Promise<T>) => Promise<T> {
  const groups = new Map<string, Group>()

  function groupOf(server: string): Group {
    const last = groups.get(server)
    if (last !== undefined && last.size < MAX_REPLIES) return last
    const group = { size: 0, open: true, left: 0, replies: [] }
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
      }
      reply.then(
        (value) => arrived(() => resolve(value)),
        (error) => arrived(() => reject(error)),
      )
    })
  }
}

function give({ open, left, replies }: Group): void {
  if (open || left > 0) return
  for (const settle of replies) settle()
}

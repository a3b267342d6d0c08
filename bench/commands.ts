import { type CommandRecord, inScript, watchCommands } from '../test/redis/monitor.ts'

/**
 * What clients send to the server while `run` goes on, and what it returns. By MONITOR, which marks what a script runs: that is
 * part of the client's one command. (`INFO commandstats` counts both alike, and no version of Redis that is common counts by
 * client.) What the server sends to subscribers is no command. MONITOR slows the server: not for what is timed.
 */
export async function commandsDuring<T>(url: string, run: () => Promise<T>): Promise<[T, readonly CommandRecord[]]> {
  await using watch = await watchCommands(url)
  const result = await run()
  // Nobody waits for what is sent behind an answer, such as the end of a lock.
  await new Promise((resolve) => setTimeout(resolve, 30))
  return [result, (await watch.stop()).filter((record) => !inScript(record))]
}

/** How many of them name a key with this in it: not what is sent without callers, to keep connections alive. */
export function countNaming(part: string, records: readonly CommandRecord[]): number {
  return records.filter(({ args }) => args.some((arg) => arg.includes(part))).length
}

/** What this process computes for a call: ms. Not the time that passes: other processes may want the machine too. */
export function cpuTime(call: () => void): number {
  const before = process.cpuUsage()
  call()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1_000
}

/**
 * Runs a command-line program: `main` gives the exit code, and what it throws is told and is 1. It ends also where something is left
 * that would go on, and on SIGINT and SIGTERM.
 */
export async function runProgram(main: (args: readonly string[]) => Promise<number>): Promise<void> {
  process.once('SIGINT', () => process.exit(130))
  process.once('SIGTERM', () => process.exit(143))
  try {
    process.exitCode = await main(process.argv.slice(2))
  } catch (error) {
    console.error(error)
    process.exitCode = 1
  }
  process.stdout.write('', () => process.exit())
}

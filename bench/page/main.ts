import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Report } from '../main.ts'
import { CHARTS } from './charts.ts'
import { draw } from './draw.ts'
import { filled } from './fill.ts'

const USAGE = `npm run bench:page -- JSON [page]

  JSON  what npm run bench -- --json has written
  page  whose tables are filled in, and beside which its charts go, as SVG (default: docs/performance.md)`

/** 0: done; 1: the page wants what the report has not; 2: it was called wrongly. */
async function main(args: readonly string[]): Promise<number> {
  const { positionals } = parseArgs({ args: [...args], allowPositionals: true, strict: true })
  const [json, page = 'docs/performance.md', ...more] = positionals
  if (json === undefined || more.length > 0) {
    console.error(USAGE)
    return 2
  }
  const report: Report = JSON.parse(await readFile(json, 'utf8'))
  const charts = basename(page, extname(page))
  const directory = join(dirname(page), charts)
  await writeFile(page, filled(await readFile(page, 'utf8'), report, await versions(), charts))
  await mkdir(directory, { recursive: true })
  for (const chart of CHARTS) {
    const measured = report[chart.scenario]
    if (measured === undefined) throw new Error(`${chart.file}: ${chart.scenario} is not in ${json}`)
    await writeFile(join(directory, `${chart.file}.svg`), await draw(chart, measured))
  }
  return 0
}

/** What atomcache is measured with, as installed, and all that it is compared to, which package.json names exactly. */
async function versions(): Promise<string> {
  const read = async (path: string) => JSON.parse(await readFile(new URL(path, import.meta.url), 'utf8'))
  const version = async (name: string) => (await read(`../../node_modules/${name}/package.json`)).version
  const ours = await Promise.all(OURS.map(async (name) => `${name} ${await version(name)}`))
  const { dependencies } = (await read('../package.json')) as { dependencies: Record<string, string> }
  const theirs = Object.entries(dependencies).filter(
    ([name]) => !OURS.includes(name) && !/^(?:vega|ioredis6)/.test(name),
  )
  const compared = theirs.map(([name, wanted]) => `${name} ${wanted}`)
  return `atomcache, and what is done by hand: ${ours.join(', ')}. The others: ${compared.join(', ')}, ioredis ${dependencies.ioredis}.`
}

/** Of the project itself. */
const OURS = ['ioredis', 'lru-cache', 'dataloader', 'graphql', 'graphql-yoga', '@trpc/server']

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}

import { lineOf } from '../../test/load/machine.ts'
import { tableOf } from '../../test/load/table.ts'
import type { Measured, Report } from '../main.ts'
import { CHARTS, isOf } from './charts.ts'

/**
 * The page with the figures of the report in their places:
 *
 * - `<!-- figures SCENARIO TABLE -->` … `<!-- end -->`: a table, by its title or the beginning of it; how and where it was measured;
 *   its charts
 * - `<!-- goals -->` … `<!-- end -->`: what every figure has to be, and what it is
 * - `<!-- versions -->` … `<!-- end -->`: of what is compared
 *
 * @param versions of what is compared, in a sentence
 * @param charts directory of the charts, as the page names it
 * @throws Error for a scenario or a table that the report has not
 */
export function filled(page: string, report: Report, versions: string, charts: string): string {
  return page.replace(
    /<!-- (goals|versions|figures (\S+) (.+?)) -->\n[\s\S]*?<!-- end -->/g,
    (_, what: string, scenario: string, table: string) => {
      const text =
        what === 'goals' ? goalsOf(report) : what === 'versions' ? versions : figuresOf(report, scenario, table, charts)
      return `<!-- ${what} -->\n\n${text}\n\n<!-- end -->`
    },
  )
}

function figuresOf(report: Report, scenario: string, start: string, charts: string): string {
  const measured = report[scenario]
  const table = measured?.tables.find(({ title }) => title.startsWith(start))
  if (measured === undefined || table === undefined) throw new Error(`${scenario}, ${start} is not in the report`)
  const drawn = CHARTS.filter((chart) => chart.scenario === scenario && isOf(chart, table.title))
  const images = drawn.map(({ file, title }) => `![${title}](${charts}/${file}.svg)`)
  return [`**${table.title}**. ${howOf(measured)}`, tableOf(table.figures), ...images].join('\n\n')
}

function howOf({ command, machine }: Measured): string {
  return `\`${command}\`, ${lineOf(machine)}.`
}

function goalsOf(report: Report): string {
  return tableOf(
    Object.entries(report).flatMap(([scenario, { goals }]) =>
      goals.map(({ what, limit, got, met }) => ({
        scenario,
        what,
        goal: limit,
        got: String(Number(got.toPrecision(3))),
        met: met ? 'yes' : '**no**',
      })),
    ),
  )
}

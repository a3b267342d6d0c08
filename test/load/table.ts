import type { Figures } from './scenario.ts'

/** The figures as a table in Markdown, numbers to the right. */
export function tableOf(figures: Figures): string {
  const columns = Object.keys(figures[0] ?? {})
  const cells = figures.map((row) => columns.map((column) => cellOf(row[column])))
  const widths = columns.map((column, i) => Math.max(3, column.length, ...cells.map((row) => row[i]?.length ?? 0)))
  const isNumber = columns.map((column) => figures.every((row) => typeof row[column] === 'number'))
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, i) => (isNumber[i] ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0))).join(' | ')} |`
  const rule = widths.map((width, i) => (isNumber[i] ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width)))
  return [line(columns), line(rule), ...cells.map(line)].join('\n')
}

/** Of more than three digits nobody needs the fraction. */
function cellOf(figure: string | number | undefined): string {
  if (typeof figure !== 'number') return figure ?? ''
  if (Number.isInteger(figure)) return String(figure)
  const digits = Math.abs(figure) >= 100 ? 0 : Math.abs(figure) >= 10 ? 1 : 2
  return figure.toFixed(digits)
}

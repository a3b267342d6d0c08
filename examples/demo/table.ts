export interface Column {
  readonly title: string
  /** Numbers stand on the right. */
  readonly right?: boolean
}

/** Plain text: a line of titles, a rule, the rows, and, below another rule, the last row as their sum. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const widths = columns.map(({ title }, i) => Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)))
  const line = (cells: readonly string[]) =>
    columns
      .map(({ right }, i) => {
        const cell = cells[i] ?? ''
        const width = widths[i] ?? 0
        return right ? cell.padStart(width) : cell.padEnd(width)
      })
      .join('  ')
      .trimEnd()
  const rule = widths.map((width) => '─'.repeat(width)).join('  ')
  return [
    line(columns.map(({ title }) => title)),
    rule,
    ...rows.slice(0, -1).map(line),
    rule,
    ...rows.slice(-1).map(line),
  ]
}

import { parse, resetSVGDefIds, View } from 'vega'
import { compile, type TopLevelSpec } from 'vega-lite'
import { lineOf } from '../../test/load/machine.ts'
import type { Figures, Row } from '../../test/load/scenario.ts'
import type { Measured } from '../main.ts'
import { type Bars, type Chart, isOf, type Lines } from './charts.ts'
import { slim } from './slim.ts'

/** Ours, what nobody can do better, and others; and lines where nobody is one of these. */
const COLOURS = { ours: '#1864ab', limit: '#9aa0a6', peer: '#e8a13a' } as const
const LINES = ['#1864ab', '#e8a13a', '#2b8a3e', '#9c36b5', '#c92a2a', '#495057'] as const
const INK = '#212529'
const FAINT = '#5f6770'
const GRID = '#e3e6e9'
/** Where the greatest figure is so many times the least, the axis is logarithmic. */
const WIDE = 20
const WIDTH = 460
const LINES_HEIGHT = 300
/** So many ticks have room. */
const FEW = 8
const BAR = 24

/**
 * The chart as an SVG, on a ground of its own: it is read on light pages and on dark ones. The same figures make the same bytes.
 *
 * @throws Error where the scenario has no such table or column
 */
export async function draw(chart: Chart, measured: Measured): Promise<string> {
  const figures = figuresOf(chart, measured)
  const caption = lineOf(measured.machine)
  const { layers, height, left, right } = chart.kind === 'bars' ? barsOf(chart, figures) : linesOf(chart, figures)
  const whole = {
    width: WIDTH,
    height,
    background: 'white',
    // How wide text is nobody knows without a canvas: what the library would guess is too much.
    autosize: { type: 'none' },
    padding: { left, right, top: 44, bottom: 84 },
    config: CONFIG,
    title: { text: chart.title, anchor: 'start', frame: 'group', offset: 12, fontSize: 15, color: INK },
    layer: [...layers, ...captionOf([caption, measured.command], height)],
  }
  // What one chart has named must not change the names in the next one.
  resetSVGDefIds()
  const view = new View(parse(compile(whole as unknown as TopLevelSpec).spec), { renderer: 'none' })
  try {
    return slim(await view.toSVG(), `${chart.title}; ${caption}`)
  } finally {
    view.finalize()
  }
}

const CONFIG = {
  font: 'Helvetica, Arial, sans-serif',
  aria: false,
  view: { stroke: null },
  axis: {
    labelColor: INK,
    labelFontSize: 11,
    labelLimit: 0,
    titleColor: FAINT,
    titleFontSize: 11,
    titleFontWeight: 'normal',
    gridColor: GRID,
    domainColor: FAINT,
    tickColor: FAINT,
  },
  legend: { labelLimit: 0, labelColor: INK, labelFontSize: 11, title: null, symbolStrokeWidth: 2 },
} as const

interface Layers {
  readonly layers: readonly object[]
  readonly height: number
  /** What there is beside the axes. */
  readonly left: number
  readonly right: number
}

function barsOf(chart: Bars, figures: Figures): Layers {
  const { label, value } = chart
  expectColumns(chart, figures, [label, value])
  const all = figures.map((row) => ({ name: String(row[label]), value: row[value], role: roleOf(String(row[label])) }))
  const shown = all.filter((bar): bar is typeof bar & { value: number } => typeof bar.value === 'number')
  const values = shown.map((bar) => ({ ...bar, text: textOf(bar.value) }))
  const least = Math.min(...values.map((bar) => bar.value))
  const most = Math.max(...values.map((bar) => bar.value))
  const logarithmic = least > 0 && most / least > WIDE
  const from = logarithmic ? 10 ** Math.floor(Math.log10(least) - 0.1) : 0
  const scale = logarithmic
    ? { type: 'log', domain: [from, most * 1.1], nice: false }
    : { domain: [0, most], nice: true }
  const x = {
    field: 'value',
    type: 'quantitative',
    scale,
    axis: {
      title: `${value}${logarithmic ? ', logarithmic' : ''}`,
      ...ticksOf(
        values.map((bar) => bar.value),
        logarithmic,
      ),
    },
  }
  const y = { field: 'name', type: 'nominal', sort: null, axis: { title: null, ticks: false, domain: false } }
  const data = { values: values.map((bar) => ({ ...bar, from })) }
  const colour = {
    field: 'role',
    type: 'nominal',
    scale: { domain: Object.keys(COLOURS), range: Object.values(COLOURS) },
    legend: null,
  }
  return {
    height: values.length * BAR,
    left: widthOf(values.map(({ name }) => name)) + 16,
    right: 60,
    layers: [
      { data, mark: { type: 'bar', height: BAR - 8 }, encoding: { x, x2: { field: 'from' }, y, color: colour } },
      {
        data,
        mark: { type: 'text', align: 'left', dx: 4, fontSize: 11, color: INK },
        encoding: { x, y, text: { field: 'text' } },
      },
    ],
  }
}

function linesOf(chart: Lines, figures: Figures): Layers {
  const { x, y, series, only = {} } = chart
  expectColumns(chart, figures, [x, y, series, ...Object.keys(only)])
  const isShown = (row: Row) => Object.entries(only).every(([column, wanted]) => wanted.includes(row[column] as string))
  // On a logarithmic axis there is no place for nothing.
  const isDrawn = (row: Row) => typeof row[x] === 'number' && typeof row[y] === 'number' && Number(row[y]) > 0
  const values = figures
    .filter((row) => isShown(row) && isDrawn(row))
    .map((row) => ({ x: row[x], y: row[y], series: String(row[series]) }))
  const names = [...new Set(values.map((point) => point.series))]
  const axis = (column: string, name: 'x' | 'y') => ({
    field: name,
    type: 'quantitative',
    scale: { type: 'log', nice: false, padding: 6 },
    axis: {
      title: column,
      ...ticksOf(
        values.map((point) => Number(point[name])),
        true,
      ),
    },
  })
  const colour = { field: 'series', type: 'nominal', scale: { domain: names, range: coloursOf(names) } }
  const encoding = { x: axis(x, 'x'), y: axis(y, 'y'), color: colour }
  return {
    height: LINES_HEIGHT,
    left: 66,
    right: widthOf(names) + 50,
    layers: [{ data: { values }, mark: { type: 'line', strokeWidth: 2, point: { size: 30 } }, encoding }],
  }
}

/** Of a logarithmic axis: the values themselves where they are few and whole, else powers of ten, and between few of these two more. */
function ticksOf(values: readonly number[], logarithmic: boolean): object {
  const labelExpr = "datum.value >= 1000 ? format(datum.value, '~s') : format(datum.value, '~g')"
  if (!logarithmic) return { tickCount: 5, labelExpr }
  const distinct = [...new Set(values)]
  if (distinct.length <= FEW && distinct.every(Number.isInteger)) return { values: distinct, labelExpr }
  const [least, most] = [Math.min(...values), Math.max(...values)]
  const first = Math.floor(Math.log10(least))
  const powers = Array.from({ length: Math.ceil(Math.log10(most)) - first + 1 }, (_, i) => 10 ** (first + i))
  const ticks = powers.length > 3 ? powers : powers.flatMap((power) => [power, 2 * power, 5 * power])
  return { values: ticks.filter((tick) => tick >= least / 1.5 && tick <= most * 1.1), labelExpr }
}

/** Ours and limits have their colours, the rest have any. */
function coloursOf(names: readonly string[]): readonly string[] {
  const roles = names.map(roleOf)
  const isContest = roles.includes('ours')
  let next = isContest ? 1 : 0
  return roles.map((role) => {
    if (isContest && role !== 'peer') return COLOURS[role]
    return LINES[next++ % LINES.length] ?? INK
  })
}

/** Roughly, of the longest, in the size of labels. */
function widthOf(labels: readonly string[]): number {
  return Math.ceil(Math.max(...labels.map((label) => label.length)) * 6.3)
}

function captionOf(lines: readonly string[], height: number): readonly object[] {
  return lines.map((text, i) => ({
    data: { values: [{}] },
    mark: { type: 'text', align: 'left', baseline: 'top', fontSize: 9, color: FAINT, text },
    encoding: { x: { value: 0 }, y: { value: height + 44 + 13 * i } },
  }))
}

function figuresOf(chart: Chart, { tables }: Measured): Figures {
  const found = tables.find(({ title }) => isOf(chart, title))
  if (found !== undefined) return found.figures
  throw new Error(
    `${chart.file}: there is no table ${chart.table}; there are ${tables.map(({ title }) => title).join(' | ')}`,
  )
}

function expectColumns({ file }: Chart, figures: Figures, wanted: readonly string[]): void {
  const columns = Object.keys(figures[0] ?? {})
  const missing = wanted.filter((column) => !columns.includes(column))
  if (missing.length === 0) return
  throw new Error(`${file}: there is no column ${missing.join(', ')}; there are ${columns.join(' | ')}`)
}

/** By its name in tables. */
function roleOf(name: string): keyof typeof COLOURS {
  if (/atomcache|^(?:field|list)(?: with windows)?$/i.test(name)) return 'ours'
  return /by hand|\balone\b|^node:http|\bwithout\b/i.test(name) ? 'limit' : 'peer'
}

function textOf(value: number): string {
  if (Number.isInteger(value)) return value.toLocaleString('en-US')
  return value.toLocaleString('en-US', { maximumSignificantDigits: value >= 100 ? 3 : 2 })
}

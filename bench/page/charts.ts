/** A chart of one table: which, and what of it. */
export type Chart = Bars | Lines

interface Drawn {
  /** Name of the file, without `.svg`. */
  readonly file: string
  /** What it shows, as a heading. */
  readonly title: string
  readonly scenario: string
  /** Title of the table, or what it looks like where it says a figure that depends on the size. */
  readonly table: string | RegExp
}

/** One bar for each row, in the order of the table. */
export interface Bars extends Drawn {
  readonly kind: 'bars'
  /** Column with the name of the contestant. */
  readonly label: string
  /** Column with the figure: its name says the unit. */
  readonly value: string
}

/** One line for each series, on two logarithmic axes. */
export interface Lines extends Drawn {
  readonly kind: 'lines'
  readonly x: string
  readonly y: string
  /** Column by whose values there are lines. */
  readonly series: string
  /** Rows that are shown, by what they have in other columns. Default: all. */
  readonly only?: Readonly<Record<string, readonly (string | number)[]>>
}

/** All charts: file, heading, scenario, table, and which columns. */
export const CHARTS: readonly Chart[] = [
  bars(
    'stampede',
    'A stampede of one cold key',
    'stampede',
    /^Stampede, loader of (?!2000)/,
    'cache',
    'beyond the loader (ms)',
  ),
  bars(
    'stampede-commands',
    'Commands for a stampede of one cold key',
    'stampede',
    /^Stampede, loader of (?!2000)/,
    'cache',
    'commands',
  ),
  bars('cold-keys', 'Many cold keys at once', 'coldKeys', / cold keys, /, 'cache', 'beyond the loader (ms)'),
  bars('killed', 'The leader is killed', 'killed', /^Killed /, 'cache', 'last answer after the claim (ms)'),
  bars('yoga', 'A stampede over HTTP', 'yoga', /^Stampede over HTTP/, 'server', 'beyond the resolver (ms)'),
  bars('hits-1kb', 'Hits over Redis, 1 KB', 'hits', 'Hits over Redis, 1 KB', 'cache', 'CPU (µs/hit)'),
  bars('hits-50kb', 'Hits over Redis, 50 KB', 'hits', 'Hits over Redis, 50 KB', 'cache', 'CPU (µs/hit)'),
  bars('memory', 'Hits in memory, 1 KB', 'memory', 'Hits in memory, 1 KB', 'cache', 'CPU (µs/hit)'),
  bars('graphql-5kb', 'GraphQL hits, 5 KB', 'graphql', 'GraphQL hits, 5 KB', 'server', 'CPU (µs/request)'),
  bars('graphql-50kb', 'GraphQL hits, 50 KB', 'graphql', 'GraphQL hits, 50 KB', 'server', 'CPU (µs/request)'),
  bars('trpc-5kb', 'tRPC hits, 5 KB', 'trpc', 'tRPC hits, 5 KB', 'server', 'CPU (µs/request)'),
  bars('trpc-50kb', 'tRPC hits, 50 KB', 'trpc', 'tRPC hits, 50 KB', 'server', 'CPU (µs/request)'),
  bars(
    'fields-5kb',
    'Hits of a field, 5 KB',
    'fields',
    'Hits of a field of the query, 5 KB',
    'server',
    'CPU (µs/request)',
  ),
  bars('fields-items', 'Hits of 1,000 items', 'fields', /of 1,000 list items$/, 'server', 'CPU (µs/request)'),
  lines('tags', 'Invalidation by tag', 'tags', 'Invalidation by tag', 'entries', 'took (ms)', 'how'),
  {
    ...lines(
      'growth',
      'Commands for one cold key',
      'growth',
      'One cold key by processes and callers',
      'processes',
      'commands',
      'cache',
    ),
    only: { callers: [100] },
  },
  simulated('commands-1kb', 'Commands for one cold key of 1 KB', 'one cold key of 1 KB', 'commands'),
  simulated(
    'busy-1kb',
    'Work of the busiest master for one cold key of 1 KB',
    'one cold key of 1 KB',
    'busiest master (ms)',
  ),
  simulated('latency-1kb', 'One cold key of 1 KB, after the loader', 'one cold key of 1 KB', 'p99 (ms)'),
  simulated('commands-50kb', 'Commands for one cold key of 50 KB', 'one cold key of 50 KB', 'commands'),
  simulated(
    'busy-50kb',
    'Work of the busiest master for one cold key of 50 KB',
    'one cold key of 50 KB',
    'busiest master (ms)',
  ),
  simulated('latency-50kb', 'One cold key of 50 KB, after the loader', 'one cold key of 50 KB', 'p99 (ms)'),
  simulated('ways-runs', 'Runs of the loader', 'other ways, one cold key of 1 KB on one server', 'runs', 'way'),
  simulated(
    'ways-busy',
    'Work of one server',
    'other ways, one cold key of 1 KB on one server',
    'busiest master (ms)',
    'way',
  ),
  simulated('ways-latency', 'After the loader', 'other ways, one cold key of 1 KB on one server', 'p99 (ms)', 'way'),
  simulated('rest-bus', 'Instances at rest, in a cluster', 'at rest', 'between nodes (MB/s)'),
]

function bars(file: string, title: string, scenario: string, table: Bars['table'], label: string, value: string): Bars {
  return { kind: 'bars', file, title, scenario, table, label, value }
}

function lines(
  file: string,
  title: string,
  scenario: string,
  table: string,
  x: string,
  y: string,
  series: string,
): Lines {
  return { kind: 'lines', file, title, scenario, table, x, y, series }
}

function simulated(file: string, title: string, table: string, y: string, series = 'servers'): Lines {
  return lines(`simulate-${file}`, `${title}, simulated`, 'simulate', table, 'instances', y, series)
}

/** Whether the chart is of the table of that title. */
export function isOf(chart: Chart, title: string): boolean {
  return typeof chart.table === 'string' ? chart.table === title : chart.table.test(title)
}

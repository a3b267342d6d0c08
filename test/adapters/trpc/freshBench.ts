import { settled } from '../graphql/market.ts'
import type { Trace } from '../trace.ts'
import type { Twin } from './twins.ts'

/** What an instance answered, and what it said of that. */
export interface Said {
  readonly code: number
  /** What the procedure gave, or the code of its error. */
  readonly data: unknown
  readonly control: string | null
  readonly status: string | null
  readonly age: number | undefined
}

export async function get({ url }: { readonly url: string }, path: string): Promise<Said> {
  const response = await fetch(`${url}/${path}`)
  const body = await response.json()
  const [control, status, age] = ['cache-control', 'cache-status', 'age'].map((name) => response.headers.get(name))
  const dataOf = ({ result, error }: { result?: { data: unknown }; error?: { data: { code: string } } }) =>
    error === undefined ? result?.data : error.data.code
  return {
    code: response.status,
    data: Array.isArray(body) ? body.map(dataOf) : dataOf(body),
    control: control ?? null,
    status: status ?? null,
    age: age === null || age === undefined ? undefined : Number(age),
  }
}

/** Asks until a stale answer is given; that one. */
export async function getStale(twin: Twin<never>, path: string, trace: Trace): Promise<Said> {
  const before = trace.of('stale').length
  for (;;) {
    const said = await get(twin, path)
    if (trace.of('stale').length > before) return said
  }
}

/** Asks for the first time, and waits until that is stored. */
export async function getFirst(twin: Twin<never>, path: string, trace: Trace): Promise<Said> {
  const published = trace.of('publish').length
  const said = await get(twin, path)
  await trace.saw('publish', published + 1)
  await settled(twin.cache)
  return said
}

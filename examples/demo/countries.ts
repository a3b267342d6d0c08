import type { Cache, LoadContext } from 'atomcache'

export interface Country {
  readonly code: string
  readonly name: string
  readonly capital: string | null
  /** Counts the corrections of this country. */
  readonly version: number
}

export interface Countries {
  /** Not cached here: the GraphQL plugin and the tRPC middleware cache what is made of it. */
  inRegion(region: string): Promise<Country[]>
  /** Cached here: whoever asks for a country in whatever server asks for the same key. */
  byCode(code: string): Promise<Country>
  rename(code: string, name: string): Promise<Country>
}

/** What the servers know of countries: all of it comes from a slow origin. `caller` tells the origin who asks. */
export function createCountries(cache: Cache, origin: string, caller: string): Countries {
  async function request<T>(path: string, init: RequestInit = {}): Promise<T> {
    const response = await fetch(new URL(path, origin), { ...init, headers: { 'user-agent': caller } })
    if (!response.ok) throw new Error(`the origin answered ${response.status}`)
    return (await response.json()) as T
  }

  const byCode = cache.wrap(
    (code: string, { signal }: LoadContext) => request<Country>(`/country/${encodeURIComponent(code)}`, { signal }),
    { key: (code) => ['country', code] },
  )

  return {
    inRegion: (region) => request(`/region/${encodeURIComponent(region)}`),
    byCode,
    async rename(code, name) {
      const body = JSON.stringify({ name })
      const renamed = await request<Country>(`/country/${encodeURIComponent(code)}`, { method: 'PATCH', body })
      await byCode.delete(code)
      return renamed
    },
  }
}

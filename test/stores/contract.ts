/**
 * The contract of `src/core/store.ts` as one suite, for every store. In a test file:
 *
 * ```ts
 * storeContract('my store', { open: () => () => myStore('my://localhost') })
 * ```
 *
 * `open` is called at the start of every test and gives a factory. Each store the factory makes is opened for one
 * cache, as in a process of its own, and all that one factory makes must share the same data: factories of a store with
 * a server may share it always (each test has namespaces of its own), one that keeps its data in memory gives the same
 * object again and again, and `open` makes a new one for each test. There are no optional capabilities: a store that
 * fails one test of these can make a cache serve what was invalidated, or load twice.
 *
 * The suite needs vitest; it takes some seconds, most of which are real leases and times to live that run out.
 */
import { describe } from 'vitest'
import { announcing } from './contract/announcing.ts'
import { claiming } from './contract/claiming.ts'
import { clocks } from './contract/clocks.ts'
import { closing } from './contract/closing.ts'
import { ending } from './contract/ending.ts'
import { ids } from './contract/ids.ts'
import { indexing } from './contract/indexing.ts'
import { leases } from './contract/leases.ts'
import { listing } from './contract/listing.ts'
import { paging } from './contract/paging.ts'
import type { StoreSource } from './contract/peers.ts'
import { queueing } from './contract/queueing.ts'
import { races } from './contract/races.ts'
import { reading } from './contract/reading.ts'
import { removing } from './contract/removing.ts'
import { seen } from './contract/seen.ts'
import { sweeping } from './contract/sweeping.ts'
import { tagRaces } from './contract/tagRaces.ts'
import { taking } from './contract/taking.ts'
import { telling } from './contract/telling.ts'
import { times } from './contract/times.ts'
import { writing } from './contract/writing.ts'

export type { StoreFactory, StoreSource } from './contract/peers.ts'

export function storeContract(name: string, source: StoreSource): void {
  describe(`the store contract: ${name}`, () => {
    describe('reading', () => reading(source))
    describe('times to live', () => times(source))
    describe('ids and namespaces', () => ids(source))
    describe('claiming', () => claiming(source))
    describe('what a claimer has seen', () => seen(source))
    describe('leases', () => leases(source))
    describe('ending', () => ending(source))
    describe('telling', () => telling(source))
    describe('setting and removing', () => writing(source))
    describe('removing many', () => removing(source))
    describe('taking', () => taking(source))
    describe('queueing for a place', () => queueing(source))
    describe('the clock of tags', () => clocks(source))
    describe('indexes and epochs', () => indexing(source))
    describe('marking and sweeping', () => sweeping(source))
    describe('members and lists, page by page', () => paging(source))
    describe('listing', () => listing(source))
    describe('announcing', () => announcing(source))
    describe('closing', () => closing(source))
    describe('races', () => races(source))
    describe('races of tags', () => tagRaces(source))
  })
}

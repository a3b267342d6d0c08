import { expect, test } from 'vitest'
import { type Around, historyOf, type Story } from '../synthetic.ts'
import { check } from './check.ts'
import type { Rule } from './violation.ts'

/** A history that breaks a rule, or one near it that breaks none. */
export type Case = [what: string, breaks: Rule | undefined, story: Story, around?: Around]

/** A test for each. */
export function judge(cases: readonly Case[]): void {
  test.for(cases)('%s: %s', ([, breaks, story, around]) => {
    const rules = [...new Set(check(historyOf(story, around)).map(({ rule }) => rule))]
    expect(rules).toEqual(breaks === undefined ? [] : [breaks])
  })
}

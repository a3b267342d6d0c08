import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { NONE_YET } from '../src/core/events.ts'

const file = (name: string) => new URL(`../${name}`, import.meta.url)
const text = (name: string) => readFileSync(file(name), 'utf8')
const readme = text('README.md')

describe('the README', () => {
  test.each(['plain', 'tags', 'yoga', 'envelop', 'trpc'])('shows examples/%s.ts as it is', (name) => {
    expect(readme).toContain(`\`\`\`ts\n${text(`examples/${name}.ts`).trimEnd()}\n\`\`\``)
  })

  test.each(['apollo', 'mercurius'])('of GraphQL shows examples/%s.ts as it is', (name) => {
    expect(text('docs/graphql.md')).toContain(`\`\`\`ts\n${text(`examples/${name}.ts`).trimEnd()}\n\`\`\``)
  })

  test.each([
    'README.md',
    ...['protocol', 'redis', 'graphql', 'fields', 'trpc', 'security', 'reliability'].map((name) => `docs/${name}.md`),
  ])('%s links to files that are there', (name) => {
    const links = [...text(name).matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, link]) => link as string)
    const base = file(name)
    expect(links.filter((link) => !existsSync(new URL(link, base)))).toEqual([])
    expect(links.length).toBeGreaterThan(2)
  })

  test('names every event', () => {
    expect(Object.keys(NONE_YET).filter((type) => !readme.includes(`\`${type}\``))).toEqual([])
  })
})

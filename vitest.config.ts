import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config'

/** What judges histories and figures of whole servers: another file beside it would take the time from them. */
const TIMED = ['test/chaos/*.test.ts', 'test/load/*.test.ts']

function project(name: string, test: TestProjectInlineConfiguration['test']): TestProjectInlineConfiguration {
  return {
    // Vite would take the ESM build of graphql-js and Node, for Yoga, the CommonJS one: two realms that refuse each other.
    resolve: { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] },
    test: {
      name,
      // Tests kill, pause and block processes: threads would share too much.
      pool: 'forks',
      // Limits for a hang, not for speed: the slowest tests wait for real leases on a busy machine.
      testTimeout: 20_000,
      hookTimeout: 60_000,
      ...test,
    },
  }
}

export default defineConfig({
  test: {
    // Once for all projects.
    globalSetup: ['test/redis/globalSetup.ts'],
    teardownTimeout: 20_000,
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      reporter: ['text', 'html'],
    },
    projects: [
      project('rooms', { include: ['test/**/*.test.ts'], exclude: TIMED, maxWorkers: 2, sequence: { groupOrder: 0 } }),
      project('timed', { include: TIMED, maxWorkers: 1, sequence: { groupOrder: 1 } }),
    ],
  },
})

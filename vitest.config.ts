import { defineConfig } from 'vitest/config'

export default defineConfig({
  // Vite would take the ESM build of graphql-js and Node, for Yoga, the CommonJS one: two realms that refuse each other.
  resolve: { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] },
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/redis/globalSetup.ts'],
    // Tests kill, pause and block processes: threads would share too much.
    pool: 'forks',
    // Limits for a hang, not for speed: the slowest tests wait for real leases on a busy machine.
    testTimeout: 20_000,
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      reporter: ['text', 'html'],
    },
  },
})

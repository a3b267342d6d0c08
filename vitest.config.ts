import { defineConfig } from 'vitest/config'

export default defineConfig({
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

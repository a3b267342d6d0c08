import { defineConfig } from 'tsdown'

// One build for all doors: code they share lands in chunks that each door imports, so a class or a symbol exists once
// per module system and `instanceof` holds across `atomcache` and `atomcache/redis`.
export default defineConfig({
  entry: {
    index: 'src/index.ts',
    redis: 'src/stores/redis/index.ts',
    graphql: 'src/adapters/graphql/cachedExecute.ts',
    envelop: 'src/adapters/graphql/envelop.ts',
    yoga: 'src/adapters/graphql/yoga.ts',
    directive: 'src/adapters/graphql/directive.ts',
    trpc: 'src/adapters/trpc/index.ts',
  },
  format: ['esm', 'cjs'],
  platform: 'node',
  target: 'node20.19',
  dts: { sourcemap: false },
  // It is ESM only, and not all that `require` this package (Jest, for one) can `require` that.
  deps: { alwaysBundle: ['devalue'] },
  fixedExtension: false,
})

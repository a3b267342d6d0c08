/** What is tested: the package as its users see it, or a copy with a fault in it. */
export type Subject = typeof import('../../../src/index.ts')

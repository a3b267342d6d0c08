export { type CachedOptions, cached, type ScopeRequest } from './middleware.ts'

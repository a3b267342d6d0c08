import type { ExecutionResult } from 'graphql'

/** Extensions for everybody: `http` is the answer to one request (its cookies, its status) and stays with who asked. */
export function sharedExtensions({ extensions }: ExecutionResult): Record<string, unknown> | undefined {
  if (extensions === undefined) return undefined
  const { http: _own, ...shared } = extensions
  return Object.keys(shared).length === 0 ? undefined : shared
}

/** Whether the answer to this request tells HTTP caches, in a header of its own, what they may do. */
export function tellsHttpCaches({ extensions }: ExecutionResult): boolean {
  const { headers } = (extensions?.http ?? {}) as { headers?: object | undefined }
  return Object.keys(headers ?? {}).some((name) => name.toLowerCase() === 'cache-control')
}

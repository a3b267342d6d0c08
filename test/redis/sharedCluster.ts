import { inject } from 'vitest'
import type { Address } from './clusterNode.ts'
import { takeCluster } from './clusterSource.ts'

/**
 * The nodes of the cluster that all test files share, which nobody breaks; each test keeps to a namespace of its own.
 * It starts when the first file asks for it: `const nodes = await sharedCluster()`.
 */
export function sharedCluster(): Promise<Address[]> {
  return takeCluster(inject('clusterOffer'))
}

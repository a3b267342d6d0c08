/** The limit of what reads first, as this package does: by hand, with a round trip more for a miss, and a plain GET for a hit. */
import { openByHand } from './byHand.ts'
import type { OpenCache } from './cache.ts'

export const open: OpenCache = (use) => openByHand(use, 'GET')

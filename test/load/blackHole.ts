import { degrade, type Fault } from './degradation.ts'
import type { Scenario } from './scenario.ts'

const FAULT: Fault = {
  name: 'black hole',
  begin: (network) => network.blackhole(true),
  end: (network) => network.blackhole(false),
}

export const blackHole: Scenario = {
  name: 'blackHole',
  says: 'Every byte between servers and Redis is lost for a while: all are answered, with one run at a time per key and server.',
  run: (size, say) => degrade([FAULT], size, say),
}

import { degrade, type Fault } from './degradation.ts'
import type { Scenario } from './scenario.ts'

const FAULT: Fault = {
  name: 'one in ten lost',
  begin: (network) => network.lose(0.1),
  end: (network) => network.lose(0),
}

export const loss: Scenario = {
  name: 'loss',
  says: 'One chunk in ten between servers and Redis comes when TCP has sent it again, and what is behind it with it.',
  run: (size, say) => degrade([FAULT], size, say),
}

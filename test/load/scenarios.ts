import { blackHole } from './blackHole.ts'
import { coldKey } from './coldKey.ts'
import { coldKeys } from './coldKeys.ts'
import { loss } from './loss.ts'
import { payload } from './payload.ts'
import { restart } from './restart.ts'
import type { Scenario } from './scenario.ts'
import { shutdown } from './shutdown.ts'
import { slow } from './slow.ts'
import { soak } from './soak.ts'

/** All that `npm run load` plays, in this order. */
export const SCENARIOS: readonly Scenario[] = [
  blackHole,
  slow,
  loss,
  shutdown,
  restart,
  coldKey,
  coldKeys,
  payload,
  soak,
]

/** @throws Error that names those there are */
export function scenarioOf(name: string, known = SCENARIOS): Scenario {
  const found = known.find((scenario) => scenario.name === name)
  if (found === undefined) {
    throw new Error(`there is no scenario ${name}; there are ${known.map((scenario) => scenario.name).join(', ')}`)
  }
  return found
}

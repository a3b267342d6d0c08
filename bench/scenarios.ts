import type { Scenario } from './scenario.ts'
import { coldKeys } from './scenarios/coldKeys.ts'
import { fields } from './scenarios/fields.ts'
import { graphql } from './scenarios/graphql.ts'
import { growth } from './scenarios/growth.ts'
import { hits } from './scenarios/hits.ts'
import { killed } from './scenarios/killed.ts'
import { memory } from './scenarios/memory.ts'
import { profile } from './scenarios/profile.ts'
import { stampede } from './scenarios/stampede.ts'
import { tags } from './scenarios/tags.ts'
import { trpc } from './scenarios/trpc.ts'
import { yoga } from './scenarios/yoga.ts'

/** All that `npm run bench` measures, in this order. */
export const SCENARIOS: readonly Scenario[] = [
  stampede,
  coldKeys,
  killed,
  growth,
  yoga,
  hits,
  memory,
  graphql,
  trpc,
  fields,
  tags,
  profile,
]

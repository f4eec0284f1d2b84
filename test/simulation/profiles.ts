// The profiles of `npm run simulate` by name. Each is one story, told once for every seed.
import { calm } from './profile-calm.ts'
import { chaos } from './profile-chaos.ts'
import { deploy } from './profile-deploy.ts'
import { failing } from './profile-failing.ts'
import { scale } from './profile-scale.ts'
import type { Profile } from './seed-run.ts'

/** Every profile. */
export const PROFILES: Readonly<Record<string, Profile>> = {
  calm,
  rough: chaos({ faults: 'rough', everyMs: 25_000, reshard: 0.05 }),
  hostile: chaos({ faults: 'hostile', everyMs: 12_000, reshard: 0.08 }),
  failing,
  deploy,
  reshard: chaos({ faults: 'rough', everyMs: 10_000, reshard: 0.6 }),
  scale
}

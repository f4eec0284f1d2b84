// The seeds of random tests. `SEED=7 npm test` runs each of them with that seed alone; `SEEDS=50 npm test` with more seeds.

/** Seeds to run a test with: `count` of them from `first`, unless the environment says otherwise. */
export function seeds(count: number, first = 1): number[] {
  const { SEED, SEEDS } = process.env
  if (SEED !== undefined) return [Number(SEED)]
  return Array.from({ length: SEEDS === undefined ? count : Number(SEEDS) }, (_, i) => first + i)
}

/** The seed of a test that runs with one only. */
export function seedOr(usual: number): number {
  return Number(process.env.SEED ?? usual)
}

/** Whether one seed is run again. What is expected of many seeds together does not hold for one. */
export const isRepeated = process.env.SEED !== undefined

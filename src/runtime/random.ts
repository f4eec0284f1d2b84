// The only door to chance.

/** Where chance comes from. */
export interface Random {
  /** A number from 0 up to, but not including, 1. */
  next(): number
}

/** Other numbers in every process. */
export const systemRandom: Random = { next: () => Math.random() }

/** The same numbers for the same seed, on every machine (mulberry32). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  return {
    next: () => {
      state = (state + 0x6d2b79f5) >>> 0
      let t = state
      t = Math.imul(t ^ (t >>> 15), t | 1)
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296
    }
  }
}

/** A copy of `items` in random order. */
export function shuffled<T>(items: readonly T[], random: Random): T[] {
  return items
    .map(item => ({ item, at: random.next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item)
}

/** A duration spread by up to a tenth in both directions, so that a fleet does not act in step. */
export function jittered(ms: number, random: Random): number {
  return ms * (0.9 + 0.2 * random.next())
}

/** A random word of `length` lower-case letters and digits. */
export function randomWord(length: number, random: Random): string {
  let word = ''
  while (word.length < length) word += Math.floor(random.next() * 36).toString(36)
  return word
}

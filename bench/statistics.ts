// Numbers about numbers.

/** The middle of some numbers, or the mean of the two in the middle. NaN of none. */
export function median(numbers: readonly number[]): number {
  return percentile(numbers, 50)
}

/** The number that `percent` of 100 of the numbers are below, interpolated. NaN of none. */
export function percentile(numbers: readonly number[], percent: number): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  const place = ((sorted.length - 1) * percent) / 100
  const [below, above] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]]
  if (below === undefined || above === undefined) return Number.NaN
  return below + (above - below) * (place - Math.floor(place))
}

/** A median, and how far the numbers that it comes from lie apart. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** Median, least and greatest. */
export function spread(numbers: readonly number[]): Spread {
  return { median: median(numbers), min: Math.min(...numbers), max: Math.max(...numbers) }
}

/** Rounded to so many significant digits; `null` for what is no number, as JSON has it. */
export function rounded(value: number | undefined, digits = 3): number | null {
  return value === undefined || !Number.isFinite(value) ? null : Number(value.toPrecision(digits))
}

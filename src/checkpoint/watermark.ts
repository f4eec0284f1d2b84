// Records that are settled out of order, and up to where all of them are.
import { type ExtendedSequenceNumber, positionOf } from '../model/sequence-number.ts'

/** A stretch of records that are on their way, in the order of the shard. */
interface Stretch {
  positions: readonly ExtendedSequenceNumber[]
  /** By place: 1 if it is settled. */
  readonly isSettled: Uint8Array
  /** How many are settled. */
  settled: number
  /** The first that is not settled. */
  first: number
  /** Where the stretch ends: its last record, or what follows that and needs no processing. */
  readonly upTo: ExtendedSequenceNumber
  done: () => void
}

/** The place of a record: its stretch, and where in that it is. */
export interface Place {
  readonly stretch: object
  readonly index: number
}

/**
 * Knows what is settled of the records that are on their way, in whatever order that happens. Costs one byte a record, and
 * nothing for what lies behind {@link position}. Keeps the records of an answer only until all of them are settled.
 */
export class Watermark {
  readonly #stretches: Stretch[] = []
  /** Everything before the first stretch is settled. */
  #before: ExtendedSequenceNumber
  #settledBefore = 0

  /** @param position everything up to here is settled */
  constructor(position: ExtendedSequenceNumber) {
    this.#before = position
  }

  /** Everything up to here is settled. */
  get position(): ExtendedSequenceNumber {
    const [stretch] = this.#stretches
    const last = stretch?.positions[stretch.first - 1]
    return last === undefined ? this.#before : positionOf(last)
  }

  /** How many records lie before {@link position}, since the beginning. */
  get passed(): number {
    return this.#settledBefore + (this.#stretches[0]?.first ?? 0)
  }

  /** Takes in the records that follow. `done` is called once all of them are settled; at once if there are none. */
  add(positions: readonly ExtendedSequenceNumber[], upTo: ExtendedSequenceNumber, done: () => void): object {
    const isSettled = new Uint8Array(positions.length)
    const stretch = { positions, isSettled, settled: 0, first: 0, upTo: positionOf(upTo), done }
    this.#stretches.push(stretch)
    if (positions.length === 0) {
      this.#advance()
      this.#finish(stretch)
    }
    return stretch
  }

  /** Notes that a record is settled. Says whether that is news. */
  settle({ stretch, index }: Place): boolean {
    const into = stretch as Stretch
    if (into.isSettled[index] !== 0) return false
    into.isSettled[index] = 1
    into.settled += 1
    if (index === into.first && into === this.#stretches[0]) this.#advance()
    if (into.settled === into.positions.length) this.#finish(into)
    return true
  }

  /** The records beyond {@link position} that are settled all the same. */
  beyond(): ExtendedSequenceNumber[] {
    return this.#stretches.flatMap(({ positions, isSettled, first }) =>
      positions.filter((_, index) => index >= first && isSettled[index] === 1).map(positionOf)
    )
  }

  /** Keeps nothing of what the records are in, though not all of them are settled: nobody is to be told any more. */
  letGo(): void {
    for (const stretch of this.#stretches) forget(stretch)
  }

  /** Others before them may not be settled for long. */
  #finish(stretch: Stretch): void {
    const { done } = stretch
    forget(stretch)
    done()
  }

  #advance(): void {
    for (let stretch = this.#stretches[0]; stretch !== undefined; stretch = this.#stretches[0]) {
      while (stretch.isSettled[stretch.first] === 1) stretch.first += 1
      if (stretch.first < stretch.positions.length) return
      this.#before = stretch.upTo
      this.#settledBefore += stretch.first
      this.#stretches.shift()
    }
  }
}

/** Keeps of the records where they are, and nothing that they are in. */
function forget(stretch: Stretch): void {
  stretch.positions = stretch.first === stretch.positions.length ? [] : stretch.positions.map(positionOf)
  stretch.done = () => {}
}

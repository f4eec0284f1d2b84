// What must hold of records that are given up in a simulated world, for one application: they have failed as often as they may, or
// are too old, nobody has settled them, they are skipped only where somebody asked for that, and nobody goes on without a record whose
// dead letter is not stored.
import { type ExtendedSequenceNumber, formatPosition } from '../model/sequence-number.ts'
import type { GivingUp } from '../processor/failure-rules.ts'
import type { ProcessorErrorOptions } from '../worker/failure-options.ts'
import type { DeliveryChecksOptions, Processing } from './delivery-checks.ts'
import { type FailureBooks, type GivenUpEntry, undeservedBecause } from './failure-books.ts'
import { type ShardLedger, showPosition } from './shard-ledger.ts'

/** A record that is given up, where it is, and by which rules. */
export interface GivenUpRecord extends GivenUpEntry {
  readonly position: ExtendedSequenceNumber
}

/** Records that a worker says to have given up. The positions are formatted. */
export interface GivenUpRecords {
  readonly shardId: string
  readonly how: GivingUp
  readonly records: number
  readonly first: string
  readonly last: string
}

type Options = Pick<DeliveryChecksOptions, 'nowMs' | 'ledgerOf' | 'violated'>

/** The checks of what one application gives up. */
export class GivenUpChecks {
  readonly #options: Options
  readonly #books: FailureBooks
  /** By worker and first record: of which records it stored letters last. */
  readonly #letters = new Map<string, readonly ExtendedSequenceNumber[]>()
  /** By worker and record: when it began to give it up. */
  readonly #begunAtMs = new Map<string, number>()

  constructor(options: Options, books: FailureBooks) {
    this.#options = options
    this.#books = books
  }

  /** A worker is about to give records up: they have to deserve it. */
  givingUp(worker: Processing, shardId: string, given: readonly GivenUpRecord[], rules: ProcessorErrorOptions): void {
    for (const record of given) {
      this.#begunAtMs.set(`${worker.name}|${formatPosition(record.position)}`, this.#options.nowMs())
      const because = this.#whyNot(worker, shardId, record, rules)
      if (because === undefined) continue
      const message = `${worker.name} gives up record ${showPosition(record.position)} of ${shardId}, but ${because}`
      this.#options.violated('undeserved', message, shardId)
    }
  }

  /** Records count as settled: their dead letters are stored. Whether their worker has heard of that is another matter. */
  stored(worker: Processing, shardId: string, positions: readonly ExtendedSequenceNumber[]): void {
    const ledger = this.#options.ledgerOf(shardId)
    const [first] = positions
    if (first !== undefined) this.#letters.set(`${worker.name}|${formatPosition(first)}`, positions)
    for (const position of positions) settleForGood(ledger, ledger.puts.entryOf(position))
  }

  /** A worker has given records up, and goes on without them. */
  gaveUp(
    worker: Processing,
    shardId: string,
    positions: readonly ExtendedSequenceNumber[],
    how: GivingUp,
    { then, decide }: ProcessorErrorOptions
  ): void {
    const { ledgerOf, nowMs, violated } = this.#options
    const ledger = ledgerOf(shardId)
    for (const position of positions) {
      const entry = ledger.puts.entryOf(position)
      const record = `record ${showPosition(position)} of ${shardId}`
      if (how === 'skip') {
        const isAskedFor = then === 'skip' || decide !== undefined
        if (!isAskedFor) violated('undeserved', `${worker.name} skips ${record}, and nobody has asked it to`, shardId)
        settleForGood(ledger, entry)
      } else if (ledger.isOpen(entry)) {
        const message = `${worker.name} goes on without ${record}, whose letter is not stored`
        violated('undeserved', message, shardId)
      }
      // Another worker may have the shard by now.
      ledger.confirm(entry, this.#begunAtMs.get(`${worker.name}|${formatPosition(position)}`) ?? nowMs())
      this.#books.settled(worker.name, shardId, entry)
    }
  }

  /** Which records a worker says to have given up: there may be others between the first and the last. `isMeant`: which those are. */
  givenUpBy(
    worker: Processing,
    { shardId, how, first, last, records }: GivenUpRecords,
    isMeant: (position: ExtendedSequenceNumber) => boolean = () => false
  ): readonly ExtendedSequenceNumber[] {
    const letters = this.#letters.get(`${worker.name}|${first}`)
    if (how === 'dead-letter' && letters?.length === records) return letters
    const ledger = this.#options.ledgerOf(shardId)
    const { puts } = ledger
    const [from, to] = [first, last].map(text => puts.entryOf(parsePosition(text))) as [number, number]
    const range = Array.from({ length: to - from + 1 }, (_, index) => from + index)
    const failedAt = (entry: number): number | undefined => this.#books.of(worker.name, shardId, entry)?.lastAtMs
    const guesses = [
      range.filter(entry => isMeant(puts.positionOf(entry))),
      range.filter(entry => failedAt(entry) === failedAt(from)),
      range.filter(entry => ledger.isOpen(entry))
    ]
    const entries = guesses.find(({ length }) => length === records) ?? range.slice(0, records)
    return entries.map(entry => puts.positionOf(entry))
  }

  #whyNot(
    worker: Processing,
    shardId: string,
    record: GivenUpRecord,
    rules: ProcessorErrorOptions
  ): string | undefined {
    const ledger = this.#options.ledgerOf(shardId)
    const entry = ledger.puts.entryOf(record.position)
    if (entry === -1) return 'it was never put into the shard'
    if (ledger.isNeedlessAgain(entry)) return 'it is settled'
    return undeservedBecause(this.#books.of(worker.name, shardId, entry), record, rules)
  }
}

/** If it is delivered after that, it was its turn before. */
function settleForGood(ledger: ShardLedger, entry: number): void {
  ledger.vouch(entry)
  ledger.deliver(entry)
}

/** The opposite of formatPosition. */
function parsePosition(text: string): ExtendedSequenceNumber {
  const [sequenceNumber = '', subSequenceNumber = '0'] = text.split('#')
  return { sequenceNumber, subSequenceNumber: Number(subSequenceNumber) }
}

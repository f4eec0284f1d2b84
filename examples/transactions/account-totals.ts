// The processor: adds payments up per account, and commits the sums and the position in one transaction.
import {
  type ConsumedRecord,
  type ExtendedSequenceNumber,
  type LoadCheckpointInput,
  type ProcessRecordsInput,
  RecordProcessor,
  type SaveCheckpointInput
} from 'millrace'
import type { AccountStore, Payment } from './account-store.ts'

/** Who wants to know, for the report, and to die at the worst moment. */
export interface Told {
  loaded(leased: ExtendedSequenceNumber, loaded: ExtendedSequenceNumber | undefined): void
  committed(): void
}

/** Totals that are exact, whatever crashes. */
export class AccountTotals extends RecordProcessor {
  readonly #store: AccountStore
  readonly #told: Told
  #payments: readonly Payment[] = []

  constructor(store: AccountStore, told: Told) {
    super()
    this.#store = store
    this.#told = told
  }

  override async loadCheckpoint(input: LoadCheckpointInput): Promise<ExtendedSequenceNumber | undefined> {
    const position = this.#store.enter(input.shardId, input.fencingToken)
    this.#told.loaded(input.checkpoint, position)
    return position
  }

  async processRecords({ records, checkpointer }: ProcessRecordsInput): Promise<void> {
    // Made anew by each call: one that failed is made again, and may have left something here.
    this.#payments = records.map(paymentOf)
    await checkpointer.checkpoint() // calls saveCheckpoint, then writes to the lease table
  }

  override async saveCheckpoint(step: SaveCheckpointInput): Promise<void> {
    this.#store.commit(this.#payments, step)
    this.#payments = [] // committed: the next checkpoint must not commit it again
    this.#told.committed()
  }
}

/** The same with the lease table alone: a crash between commit and checkpoint counts a batch twice. */
export class NaiveTotals extends RecordProcessor {
  readonly #store: AccountStore
  readonly #told: Told

  constructor(store: AccountStore, told: Told) {
    super()
    this.#store = store
    this.#told = told
  }

  async processRecords({ records, checkpointer }: ProcessRecordsInput): Promise<void> {
    this.#store.commitAlone(records.map(paymentOf))
    this.#told.committed()
    await checkpointer.checkpoint()
  }
}

function paymentOf(record: ConsumedRecord): Payment {
  return record.json<Payment>()
}

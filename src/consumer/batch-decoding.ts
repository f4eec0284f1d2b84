// Has the records of one batch decoded before the user's code is called with them: each once, however often that code is
// called. What becomes of those that cannot be decoded is carried out in batch-run.ts.
import { decodeRecords } from '../decoding/decode-records.ts'
import type { DecodeFunction } from '../decoding/decoder.ts'
import type { UndecodableAction } from '../decoding/undecodable-rules.ts'
import type { RecordUndecodableError } from '../model/errors.ts'
import type { ConsumedRecord } from '../model/record.ts'
import { positionOf } from '../model/sequence-number.ts'
import type { ThreadProcessor } from '../processor/thread-processor.ts'
import { unlessAborted } from '../runtime/abort.ts'
import type { Clock } from '../runtime/clock.ts'
import type { CallScope } from './call-limit.ts'
import type { ShardListener } from './shard-listener.ts'
import { type Attempt, attemptCall, type CallSetting } from './user-call.ts'

/** How records are decoded, and what becomes of those that cannot be. */
export interface DecodingOptions {
  /** Absent: nothing is decoded here; a module in a thread may do so. */
  readonly decode: DecodeFunction<unknown> | undefined
  readonly onError: UndecodableAction
}

/** What one batch is decoded with, and who is told. */
export interface BatchDecodingOptions {
  readonly decoder: RecordsDecoder
  readonly onError: UndecodableAction
  /** The decoder is at work, and is waited for. */
  readonly underWay: (scope: CallScope) => void
  readonly listener: Pick<ShardListener, 'undecodable'>
}

/** Decodes records, here or elsewhere, and keeps what came of it. */
export interface RecordsDecoder {
  /** Whether the user's code can be called with the record. */
  isDecoded(record: ConsumedRecord): boolean
  /**
   * Decodes those of the records that are not decoded yet, and are not among the `refused`, to which it adds. `scope` is absent at
   * first: where there is nothing to wait for, that is done without one.
   *
   * @returns `undefined`: that is done, without waiting. Rejects, or throws, if the decoder has failed, and not a record
   */
  decode(records: readonly ConsumedRecord[], refused: Refused, scope: CallScope | undefined): Promise<void> | undefined
  /** What the user's code is given for these. */
  given(records: readonly ConsumedRecord[]): readonly ConsumedRecord[]
}

/** The records that cannot be decoded, and why. */
export type Refused = Map<ConsumedRecord, RecordUndecodableError>

const DONE = { kind: 'done', value: undefined } as const

/** Decodes here. What is decoded lives as long as this does: as long as a batch. */
export class LocalDecoder implements RecordsDecoder {
  readonly #decode: DecodeFunction<unknown>
  readonly #clock: Clock
  readonly #decoded = new Map<ConsumedRecord, ConsumedRecord>()

  constructor(decode: DecodeFunction<unknown>, clock: Clock) {
    this.#decode = decode
    this.#clock = clock
  }

  isDecoded(record: ConsumedRecord): boolean {
    return this.#decoded.has(record)
  }

  decode(records: readonly ConsumedRecord[], refused: Refused): Promise<void> | undefined {
    return decodeRecords(records, this.#decode, { decoded: this.#decoded, refused }, this.#clock)
  }

  given(records: readonly ConsumedRecord[]): readonly ConsumedRecord[] {
    return records.map(record => this.#decoded.get(record) ?? record)
  }
}

/** Has records decoded in the thread that they are processed in, where what is decoded stays. */
export class ThreadDecoder implements RecordsDecoder {
  readonly #processor: ThreadProcessor
  readonly #shardId: string

  constructor(processor: ThreadProcessor, shardId: string) {
    this.#processor = processor
    this.#shardId = shardId
  }

  isDecoded(record: ConsumedRecord): boolean {
    return this.#processor.isDecoded(record)
  }

  decode(records: readonly ConsumedRecord[], refused: Refused, scope: CallScope | undefined): Promise<void> {
    const open = records.filter(record => !refused.has(record))
    return this.#processor.decode(this.#shardId, open, refused, scope?.signal)
  }

  given(records: readonly ConsumedRecord[]): readonly ConsumedRecord[] {
    return records
  }
}

/** The decoding of one batch. */
export class BatchDecoding {
  readonly onError: UndecodableAction
  readonly #options: BatchDecodingOptions
  readonly #refused: Refused = new Map()
  /** Those that somebody was told of. */
  readonly #told = new Set<ConsumedRecord>()

  constructor(options: BatchDecodingOptions) {
    this.onError = options.onError
    this.#options = options
  }

  /** How many records of the batch could not be decoded so far. */
  get undecodable(): number {
    return this.#told.size
  }

  /**
   * Decodes what is not decoded yet of these records. Any other outcome than `done` says nothing of a record: the decoder has
   * failed, has taken too long, or is not to go on.
   */
  async decode(
    records: readonly ConsumedRecord[],
    setting: CallSetting,
    interrupt: AbortSignal
  ): Promise<Exclude<Attempt<unknown>, { kind: 'done' }> | typeof DONE> {
    const { decoder, underWay } = this.#options
    const open = records.filter(record => !decoder.isDecoded(record) && !this.#refused.has(record))
    if (open.length === 0) return DONE
    try {
      const first = decoder instanceof LocalDecoder ? { begun: decoder.decode(open, this.#refused) } : undefined
      if (first !== undefined && first.begun === undefined) return DONE
      // Nobody waits for it if the call is not made.
      first?.begun?.catch(() => {})
      // How decoding comes out says nothing about calls, which the gate is to know of.
      const made = await attemptCall<unknown>({ ...setting, gate: undefined }, interrupt, scope => {
        underWay(scope)
        const begun = first?.begun ?? decoder.decode(records, this.#refused, scope)
        // Unlike a call of the user's code, it may go on while the next thing is called.
        return begun && unlessAborted(begun, interrupt)
      })
      return made.kind === 'done' || made.kind === 'outdated' ? DONE : made
    } catch (cause) {
      return { kind: 'failed', cause }
    } finally {
      this.#tell()
    }
  }

  /** Why those of the records that cannot be decoded cannot. */
  refusedIn(records: readonly ConsumedRecord[]): ReadonlyMap<ConsumedRecord, RecordUndecodableError> {
    if (this.#refused.size === 0) return this.#refused
    const asked = new Set(records)
    return new Map([...this.#refused].filter(([record]) => asked.has(record)))
  }

  /** Has a record that could not be decoded decoded once more. */
  forget(record: ConsumedRecord): void {
    this.#refused.delete(record)
  }

  /** What the user's code is given for these. */
  given(records: readonly ConsumedRecord[]): readonly ConsumedRecord[] {
    return this.#options.decoder.given(records)
  }

  #tell(): void {
    const news = [...this.#refused].filter(([record]) => !this.#told.has(record))
    const byReason = new Map<string, (typeof news)[number][]>()
    for (const each of news) {
      this.#told.add(each[0])
      const { reason } = each[1]
      const alike = byReason.get(reason)
      if (alike === undefined) byReason.set(reason, [each])
      else alike.push(each)
    }
    for (const [reason, alike] of byReason) {
      const [[first, error]] = alike as [(typeof news)[number]]
      const [last] = alike.at(-1) as (typeof news)[number]
      const range = { first: positionOf(first), last: positionOf(last) }
      this.#options.listener.undecodable({ records: alike.length, reason, action: this.onError, error, ...range })
    }
  }
}

// The user's code as it can be given: a processor, a handler, each, or threads, and what may be said beside each of them.
import type { BatchSettings, ConcurrencySettings } from '../consumer/delivery-options.ts'
import { OptionError } from '../model/errors.ts'
import type { StreamNames } from '../model/stream-id.ts'
import { type EachHandler, type Handler, HandlerProcessor, type LaneHandler } from '../processor/handler-processor.ts'
import type { RecordProcessor } from '../processor/record-processor.ts'
import type { ResolvedThreads } from '../processor/thread-pool.ts'
import { type BatchOptions, type ConcurrencyOptions, resolveBatch, resolveConcurrency } from './concurrency-options.ts'
import { show } from './option-checks.ts'
import { resolveThreads, type ThreadOptions } from './thread-options.ts'

/** One of the four, and what may stand beside it. */
export type ProcessorOption<Value = unknown> =
  | {
      /** Makes a record processor; called once for each shard this worker leases, with the stream that it is of. */
      readonly processor: (stream: StreamNames) => RecordProcessor<Value>
      readonly handler?: never
      readonly each?: never
      readonly threads?: never
      readonly concurrency?: never
      /** When a batch is delivered. Default: what an answer of Kinesis brings is a batch. */ readonly batch?: BatchOptions
    }
  | {
      /** Processes a batch: returning means done, throwing means again. */ readonly handler: Handler<Value>
      readonly processor?: never
      readonly each?: never
      readonly threads?: never
      /** How many batches of a shard may be processed at once. Default: one. */ readonly concurrency?: ConcurrencyOptions
      /** When a batch is delivered. Default: what an answer of Kinesis brings is a batch. */ readonly batch?: BatchOptions
    }
  | {
      /** Processes one record: returning means done, throwing means again. */ readonly each: EachHandler<Value>
      readonly processor?: never
      readonly handler?: never
      readonly threads?: never
      /** How many records of a shard may be processed at once. Default: one. */ readonly concurrency?: ConcurrencyOptions
      readonly batch?: never
    }
  | {
      /** Has a module process the records, in threads of their own. */ readonly threads: ThreadOptions
      readonly processor?: never
      readonly handler?: never
      readonly each?: never
      readonly concurrency?: never
      /** When a batch is delivered. Default: what an answer of Kinesis brings is a batch. */ readonly batch?: BatchOptions
    }

/** No code at all: what processes records stands elsewhere. */
export interface NoCode {
  readonly processor?: never
  readonly handler?: never
  readonly each?: never
  readonly threads?: never
  readonly concurrency?: never
  readonly batch?: never
}

/** The user's code: how a processor is made, the threads that it lives in, or what many keys of a shard are handled with at once. */
export type UserCode =
  | { readonly makeProcessor: (stream: StreamNames) => RecordProcessor }
  | { readonly threads: ResolvedThreads }
  | { readonly lanes: LaneHandler }

/** The user's code, and how records are handed to it. */
export interface ResolvedUserCode {
  readonly userCode: UserCode
  /** For lanes; `undefined` for everything else, which is given one batch after another. */
  readonly concurrency: ConcurrencySettings | undefined
  /** `undefined`: what an answer of Kinesis brings is a batch. */
  readonly batch: BatchSettings | undefined
}

/**
 * Checks the options and fills in the defaults. A `handler` gets lanes if it may be called more than once at a time, `each` always.
 *
 * @param maxShardBytes how much of what was read one shard may hold in memory, in bytes
 * @throws OptionError naming the option, its value and what was expected
 */
export function resolveUserCode(options: ProcessorOption, maxShardBytes: number): ResolvedUserCode {
  const { processor, handler, each, threads } = options
  const [first, second] = Object.entries({ processor, handler, each, threads }).filter(([, code]) => code !== undefined)
  if (first && second) throw new OptionError(second[0], `is given beside ${first[0]}, expected one of them`)
  checkBeside(options)
  const concurrency = resolveConcurrency(options.concurrency)
  const batch = resolveBatch(options.batch, maxShardBytes)
  if (threads !== undefined) return { userCode: { threads: resolveThreads(threads) }, concurrency: undefined, batch }
  if (each !== undefined) {
    const lanes = { kind: 'each', each: checkHandler('each', each, '(record, context)') } as const
    return { userCode: { lanes }, concurrency: concurrency ?? resolveConcurrency({}), batch: undefined }
  }
  if (handler === undefined)
    return { userCode: { makeProcessor: checkFactory(processor) }, concurrency: undefined, batch }
  const checked = checkHandler('handler', handler, '(records, context)')
  if (concurrency !== undefined && concurrency.perShard > 1) {
    return {
      userCode: { lanes: { kind: 'batch', handler: checked } },
      concurrency,
      batch: sharedOut(concurrency, batch)
    }
  }
  return { userCode: { makeProcessor: () => new HandlerProcessor(checked) }, concurrency: undefined, batch }
}

/** Where every record may be in any call, the first call would take all there are: it gets its share of them. */
function sharedOut(
  { perShard, by, maxInFlight }: ConcurrencySettings,
  batch: BatchSettings | undefined
): BatchSettings | undefined {
  if (by !== 'none' || (batch !== undefined && batch.maxRecords < Number.POSITIVE_INFINITY)) return batch
  const { maxBytes = Number.POSITIVE_INFINITY, windowMs = 0 } = batch ?? {}
  return { maxRecords: Math.floor(maxInFlight / perShard), maxBytes, windowMs }
}

/** What only some kinds of code can be told. */
function checkBeside({ processor, each, threads, concurrency, batch }: ProcessorOption): void {
  if (concurrency !== undefined && (processor !== undefined || threads !== undefined)) {
    const given = processor === undefined ? 'threads' : 'processor'
    const why = 'a record processor is called for one batch of a shard after another'
    throw new OptionError('concurrency', `is given beside ${given}, expected handler or each with it: ${why}`)
  }
  if (batch !== undefined && each !== undefined) {
    throw new OptionError('batch', 'is given beside each, which is called for one record at a time: expected handler')
  }
}

function checkHandler<T>(name: string, given: T, parameters: string): T {
  if (typeof given === 'function' && !isClass(given)) return given
  const shown = isClass(given) ? 'a class' : show(given)
  throw new OptionError(name, `is ${shown}, expected a function ${parameters} => void or a promise`)
}

function checkFactory(
  processor: ((stream: StreamNames) => RecordProcessor) | undefined
): (stream: StreamNames) => RecordProcessor {
  if (typeof processor === 'function') {
    if (!isClass(processor)) return processor
    const problem = 'is a class, expected a function that makes an instance: () => new MyProcessor()'
    throw new OptionError('processor', problem)
  }
  throw new OptionError(
    'processor',
    processor === undefined
      ? 'is missing, and so are handler, each and threads: expected one of them'
      : `is ${show(processor)}, expected a function that makes a RecordProcessor, such as () => new MyProcessor()`
  )
}

function isClass(value: unknown): boolean {
  return typeof value === 'function' && /^class\b/.test(Function.prototype.toString.call(value))
}

// Processing in threads: its options, their defaults and their checks.
import { availableParallelism } from 'node:os'
import { messageOf, OptionError } from '../model/errors.ts'
import type { ResolvedThreads } from '../processor/thread-pool.ts'
import { checkGroup, checkInteger, show } from './option-checks.ts'

/** Has records processed in threads, so that code that computes for long delays nothing else. See docs/threads.md. */
export interface ThreadOptions {
  /**
   * The module with the code, which each thread loads: `new URL('./handler.js', import.meta.url)`, or a URL as text. It
   * exports a `handler`, or a function `processor` that makes a record processor.
   */
  readonly module: URL | string
  /** How many threads at most; they start when they are needed. 1 to 1,024; default: one less than there are processors, and at least 1. */
  readonly count?: number
  /** What the `processor` of the module is called with, and its `workerData`. Anything that can be cloned; default `undefined`. */
  readonly data?: unknown
  /** How large the heap of each thread may grow. A thread that needs more ends. Megabytes, 16 to 1,048,576; default: what Node allows. */
  readonly maxHeapMb?: number
}

const EXPECTED = "a URL of a file, such as new URL('./handler.js', import.meta.url)"

/**
 * Checks the options and fills in the defaults.
 *
 * @throws OptionError naming the option, its value and what was expected
 */
export function resolveThreads(given: ThreadOptions): ResolvedThreads {
  const threads = checkGroup<ThreadOptions>('threads', given, ['module', 'count', 'data', 'maxHeapMb'])
  const { count, maxHeapMb } = threads
  const byDefault = Math.max(1, availableParallelism() - 1)
  const heap = { min: 16, max: 1_048_576, unit: 'megabytes' }
  return {
    module: checkModule(threads.module),
    count: checkInteger('threads.count', count, { min: 1, max: 1_024 }, byDefault),
    data: checkData(threads.data),
    maxHeapMb: maxHeapMb === undefined ? undefined : checkInteger('threads.maxHeapMb', maxHeapMb, heap, 0)
  }
}

function checkModule(given: unknown): URL {
  if (given === undefined) throw new OptionError('threads.module', `is missing, expected ${EXPECTED}`)
  const url = given instanceof URL || (typeof given === 'string' && URL.canParse(given)) ? new URL(given) : undefined
  if (url !== undefined && ['file:', 'data:'].includes(url.protocol)) return url
  throw new OptionError('threads.module', `is ${show(given instanceof URL ? given.href : given)}, expected ${EXPECTED}`)
}

function checkData(data: unknown): unknown {
  try {
    return structuredClone(data)
  } catch (cause) {
    throw new OptionError('threads.data', `cannot be given to another thread: ${messageOf(cause)}`, { cause })
  }
}

// A worker in a process of its own, for what is not about speed: what it holds, what it costs while nothing happens, and how
// many connections it opens.
import { setTimeout as sleep } from 'node:timers/promises'
import { answerParent } from '../child-side.ts'
import { CREDENTIALS, REGION } from '../contenders/client-options.ts'
import { loadLibrary } from '../library.ts'

/** What a worker is set up with. */
export interface WorkerSetup {
  readonly library: string
  readonly endpoint: string
  readonly streamName: string
  /** Wait between reads at the tip. Milliseconds; absent: the default. */
  readonly idleMs?: number
  /** Absent: the default. */
  readonly maxBufferedBytes?: number
}

/** What a worker has done, and what it takes. */
export interface WorkerSample {
  readonly records: number
  /** Calls of the handler that have begun. */
  readonly calls: number
  readonly cpuMs: number
  readonly rssBytes: number
  readonly atMs: number
}

/** What the process can be asked. */
export interface WorkerQuestions {
  /** To start the worker; answered once it has started. */
  start(setup: WorkerSetup): Promise<void>
  sample(): WorkerSample
  /** To keep the handler from returning. */
  block(): void
  /** To let the handler go on, and to tell how many records were handled every so many milliseconds from then on. */
  unblock(everyMs: number, forMs: number): Promise<number[]>
}

let records = 0
let calls = 0
let goOn = (): void => {}
/** When a call of the handler was done, and how many records had been handled by then. */
let done: { readonly atMs: number; readonly records: number }[] | undefined
let gate: Promise<void> | undefined

answerParent<WorkerQuestions>({
  start: async ({ library, endpoint, streamName, idleMs, maxBufferedBytes }) => {
    const { Worker, memoryLeaseStore } = await loadLibrary(library)
    const worker = new Worker({
      streamName,
      applicationName: 'bench',
      startAt: 'TRIM_HORIZON',
      kinesis: { endpoint, region: REGION, credentials: CREDENTIALS },
      retrieval: { ...(idleMs && { idleMs }), ...(maxBufferedBytes && { maxBufferedBytes }) },
      leases: { store: memoryLeaseStore() },
      handler: async batch => {
        calls++
        await gate
        for (const { partitionKey, data } of batch) if (partitionKey.length + data.length > 0) records++
        done?.push({ atMs: performance.now(), records })
      }
    })
    await worker.start()
  },
  sample: () => {
    const { user, system } = process.cpuUsage()
    return {
      records,
      calls,
      cpuMs: (user + system) / 1000,
      rssBytes: process.memoryUsage.rss(),
      atMs: performance.now()
    }
  },
  block: () => {
    gate = new Promise(resolve => {
      goOn = resolve
    })
  },
  unblock: async (everyMs, forMs) => {
    // Noted by the handler: a timer would know nothing of what happens until it has its first turn.
    const noted = [{ atMs: performance.now(), records }]
    done = noted
    const beganMs = performance.now()
    goOn()
    await sleep(forMs)
    done = undefined
    return Array.from({ length: Math.floor(forMs / everyMs) }, (_, step) => {
      const untilMs = beganMs + step * everyMs
      return noted.findLast(({ atMs }) => atMs <= untilMs)?.records ?? 0
    })
  }
})

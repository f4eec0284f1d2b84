// The load source, in a process of its own. Its messages are those of SourceQuestions.
import { answerParent } from '../child-side.ts'
import type { PayloadName } from './payloads.ts'
import { LoadServer, type Served } from './server.ts'

/** What the load source can be asked. */
export interface SourceQuestions {
  /** Where it answers. */
  start(): Promise<{ http1: string; http2: string }>
  /** To make the answers of these payloads beforehand. */
  prepare(payloads: readonly PayloadName[]): void
  /** What it has served, and how much CPU time it has taken. */
  sample(): SourceSample
}

/** What the source has done up to a moment. */
export interface SourceSample {
  readonly served: Served
  /** Milliseconds of CPU time of the whole process. */
  readonly cpuMs: number
  /** Milliseconds since some moment in the past. */
  readonly atMs: number
}

const server = new LoadServer()

answerParent<SourceQuestions>({
  start: () => server.start(),
  prepare: payloads => {
    for (const payload of payloads) server.prepare(payload)
  },
  sample: () => {
    const { user, system } = process.cpuUsage()
    return { served: { ...server.served }, cpuMs: (user + system) / 1000, atMs: performance.now() }
  }
})

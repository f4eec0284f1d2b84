// The load source as seen from the benchmarks: starts it, and tells how busy it was.
import { startChild } from '../child-process.ts'
import type { PayloadName } from './payloads.ts'
import type { SourceQuestions, SourceSample } from './source-process.ts'

/** A load source that answers. */
export interface Source {
  readonly http1: string
  readonly http2: string
  sample(): Promise<SourceSample>
  end(): Promise<void>
}

/** Above this part of a core the source may be what is waited for. */
export const BUSY_SOURCE = 0.85

/** Starts a load source, with the answers of these payloads made beforehand. */
export async function startSource(payloads: readonly PayloadName[]): Promise<Source> {
  const child = startChild<SourceQuestions>('source/source-process.ts', { role: 'other', name: 'the load source' })
  try {
    await child.ask.prepare(payloads)
    return { ...(await child.ask.start()), sample: child.ask.sample, end: () => child.end() }
  } catch (error) {
    await child.end()
    throw error
  }
}

/** Part of a core that the source took between two samples. */
export function sourceLoad(before: SourceSample, after: SourceSample): number {
  return (after.cpuMs - before.cpuMs) / (after.atMs - before.atMs)
}

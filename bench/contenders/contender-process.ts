// A contender in a process of its own. Which one, the first argument says.
import { answerParent } from '../child-side.ts'
import { runBareLoop } from './bare-loop.ts'
import type { Load } from './contender.ts'
import { runLifion } from './lifion.ts'
import { type ContenderSample, Meter } from './meter.ts'
import { runMillrace } from './millrace.ts'
import { runRawReader } from './raw-reader.ts'

/** What a contender in a process of its own can be asked. */
export interface ContenderQuestions {
  /** To begin; answered once it reads. */
  run(load: Load): Promise<void>
  sample(): ContenderSample
  takeBlocks(): number[]
}

/** Reads until the process ends. Resolves once it has begun. */
export type Run = (load: Load, meter: Meter) => Promise<void>

const RUNS: Readonly<Record<string, Run>> = {
  millrace: (load, meter) => runMillrace(load, meter, 'json'),
  'millrace-cbor': (load, meter) => runMillrace(load, meter, 'cbor'),
  'bare-loop': (load, meter) => runBareLoop(load, meter, 'http1'),
  'bare-loop-default': (load, meter) => runBareLoop(load, meter, 'default'),
  'bare-loop-best': (load, meter) => runBareLoop(load, meter, 'best'),
  'raw-reader': runRawReader,
  'lifion-kinesis': runLifion
}

const name = process.argv[2] ?? ''
const meter = new Meter()

answerParent<ContenderQuestions>({
  run: async load => {
    const run = RUNS[name]
    if (run === undefined) throw new Error(`No contender is called ${name}`)
    await run(load, meter)
    if (load.watchesLoop === true) meter.watchLoop()
  },
  sample: () => meter.sample(),
  takeBlocks: () => meter.takeBlocks()
})

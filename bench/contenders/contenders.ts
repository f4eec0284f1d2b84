// All contenders, in the order of the report. One more is one more line here, whatever it is started with.
import { startDynalite } from '../../examples/support/emulators.ts'
import { startChild } from '../child-process.ts'
import type { PayloadName } from '../source/payloads.ts'
import type { Contender, Load, RunningContender } from './contender.ts'
import type { ContenderQuestions } from './contender-process.ts'

const ALL: readonly PayloadName[] = ['kpl', 'small', 'kilobyte']

/** Everything that is compared. */
export const CONTENDERS: readonly Contender[] = [
  inChild('millrace', 'Worker with its defaults', { decides: true, beginsSmall: true }),
  inChild('millrace-cbor', "Worker with wire: 'cbor'", { decides: true, wire: 'cbor', beginsSmall: true }),
  inChild('raw-reader', 'node:http, JSON.parse and base64 by hand, signed; de-aggregator of Millrace', {
    decides: true
  }),
  inChild('bare-loop', 'AWS SDK as shipped over HTTP/1.1 keep-alive; aws-kinesis-agg', { decides: true }),
  inChild('bare-loop-best', 'AWS SDK with a lean decoder and no log copies; aws-kinesis-agg', {}),
  inChild('bare-loop-default', 'AWS SDK with its default handler, here HTTP/2 without TLS; aws-kinesis-agg', {}),
  withDynalite(inChild('lifion-kinesis', 'lifion-kinesis 1.3.3 with pollDelay 0', {}))
]

interface Traits {
  readonly decides?: boolean
  readonly wire?: 'json' | 'cbor'
  readonly beginsSmall?: boolean
}

/** A contender in a child process of ours. */
function inChild(
  name: string,
  title: string,
  { decides = false, wire = 'json', beginsSmall = false }: Traits
): Contender {
  return {
    name,
    title,
    decides,
    wire,
    beginsSmall,
    payloads: ALL,
    async start(load: Load): Promise<RunningContender> {
      const module = 'contenders/contender-process.ts'
      const child = startChild<ContenderQuestions>(module, { role: 'measured', name, arguments: [name] })
      try {
        await child.ask.run(load)
      } catch (error) {
        await child.end()
        throw error
      }
      return { sample: child.ask.sample, takeBlocks: child.ask.takeBlocks, end: () => child.end() }
    }
  }
}

/** A contender that keeps its state in DynamoDB: an emulator of it is started beside. */
function withDynalite(contender: Contender): Contender {
  return {
    ...contender,
    async start(load) {
      const dynalite = await startDynalite()
      const running = await contender.start({ ...load, dynamodb: dynalite.endpoint }).catch(async error => {
        await dynalite.close()
        throw error
      })
      return {
        ...running,
        end: async () => {
          await running.end()
          await dynalite.close()
        }
      }
    }
  }
}

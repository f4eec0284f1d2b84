// The doors of the program to the world: streams, signals, time, chance, Kinesis and DynamoDB. `main.ts` opens the real ones; tests
// hand in their own.
import type { Readable, Writable } from 'node:stream'
import type { KinesisPort } from '../kinesis/kinesis-port.ts'
import type { PutPort } from '../kinesis/put-port.ts'
import type { KinesisClientOption } from '../kinesis/sdk-kinesis.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import type { WorkerPorts } from '../worker/ports.ts'

/** A stream to write to, which may be a terminal. */
export type Output = Writable & {
  /** Whether a person looks at it. */
  readonly isTTY?: boolean
  readonly columns?: number
  readonly rows?: number
}

/** What ends a program from outside. */
export type StopSignal = 'SIGINT' | 'SIGTERM'

/** Everything that a command reaches outside of itself. */
export interface CliPorts {
  readonly stdin: Readable & { readonly isTTY?: boolean }
  readonly stdout: Output
  readonly stderr: Output
  readonly env: Readonly<Record<string, string | undefined>>
  /** The directory that paths are relative to. */
  readonly cwd: string
  readonly clock: Clock
  readonly random: Random
  /** Calls `listener` at each signal from here on, instead of ending the process. Returns how to end that. */
  readonly onSignal: (listener: (signal: StopSignal) => void) => () => void
  /** Ends the process at once, with nothing put away. */
  readonly exit: (code: number) => void
  /** Reading from a stream. */
  readonly openKinesis: (streamName: string, client: KinesisClientOption) => KinesisPort
  /** Writing to a stream. */
  readonly openPut: (streamName: string, client: KinesisClientOption) => PutPort
  /** Other doors for the workers that are run. */
  readonly workerPorts: Partial<WorkerPorts>
}

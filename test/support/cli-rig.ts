// The program with streams, signals and a Kinesis of its own: one command line after another, without a process.
import { PassThrough, Writable } from 'node:stream'
import type { CliPorts, Output, StopSignal } from '../../src/cli/cli-ports.ts'
import { type CommandContext, contextOf } from '../../src/cli/command.ts'
import { runCli } from '../../src/cli/program.ts'
import type { PutPort, RecordToPut } from '../../src/kinesis/put-port.ts'
import { ServiceError, type ThrottledError } from '../../src/model/errors.ts'
import { type Clock, systemClock } from '../../src/runtime/clock.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { FakeKinesis } from '../../src/testing/fake-kinesis.ts'
import type { WorkerPorts } from '../../src/worker/ports.ts'

/** An output that keeps what is written to it. */
export class CollectingOutput extends Writable {
  isTTY = false
  columns = 100
  rows = 30
  text = ''
  /** Resolved at each write. */
  readonly #waiting: { readonly find: (text: string) => boolean; readonly found: () => void }[] = []

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    this.text += chunk.toString()
    for (const waiting of this.#waiting.filter(({ find }) => find(this.text))) {
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1)
      waiting.found()
    }
    callback()
  }

  /** Resolves once the text is as wanted. */
  until(find: (text: string) => boolean): Promise<void> {
    if (find(this.text)) return Promise.resolve()
    return new Promise(found => {
      this.#waiting.push({ find, found })
    })
  }

  get lines(): string[] {
    return this.text.split('\n').slice(0, -1)
  }

  /** Every line as JSON. */
  get objects(): Record<string, unknown>[] {
    return this.lines.map(line => JSON.parse(line))
  }
}

/** Everything that a command reaches. */
export class CliRig {
  readonly clock: Clock
  readonly kinesis: FakeKinesis
  stdin: PassThrough & { isTTY?: boolean } = new PassThrough()
  stdout: CollectingOutput = new CollectingOutput()
  stderr: CollectingOutput = new CollectingOutput()
  env: Record<string, string> = {}
  cwd: string = process.cwd()
  workerPorts: Partial<WorkerPorts> = {}
  /** What the process was ended with. */
  readonly exits: number[] = []
  /** Which clients were asked for. */
  readonly clients: object[] = []
  /** What a put of each record comes to. */
  refuse: (record: RecordToPut) => ServiceError | ThrottledError | undefined = () => undefined
  /** How many records each call had. */
  readonly puts: number[] = []
  readonly #listeners = new Set<(signal: StopSignal) => void>()

  constructor({ clock = systemClock }: { readonly clock?: Clock } = {}) {
    this.clock = clock
    this.kinesis = new FakeKinesis({ clock })
  }

  get ports(): CliPorts {
    const { stdin, stdout, stderr, env, cwd, clock, workerPorts } = this
    return {
      ...{ stdin, env, cwd, clock, workerPorts },
      stdout: stdout as Output,
      stderr: stderr as Output,
      random: seededRandom(1),
      onSignal: listener => {
        this.#listeners.add(listener)
        return () => this.#listeners.delete(listener)
      },
      exit: code => void this.exits.push(code),
      openKinesis: (streamName, client) => {
        this.clients.push(client)
        return this.kinesis.port(streamName)
      },
      openPut: (streamName, client) => {
        this.clients.push(client)
        return this.#putPort(streamName)
      }
    }
  }

  context(flags: Parameters<typeof contextOf>[1] = {}): CommandContext {
    return contextOf(this.ports, flags)
  }

  /** Runs one command line. Resolves with the exit code. */
  run(...argv: readonly string[]): Promise<number> {
    return runCli(argv, this.ports, '1.2.3')
  }

  /** What somebody types, or pipes in, to its end. */
  type(text: string | Uint8Array): void {
    this.stdin.end(text)
  }

  signal(name: StopSignal = 'SIGINT'): void {
    for (const listener of this.#listeners) listener(name)
  }

  get isListening(): boolean {
    return this.#listeners.size > 0
  }

  /** The payloads in a stream, by shard. */
  payloads(streamName: string): string[][] {
    return this.kinesis
      .shards(streamName)
      .map(({ shardId }) => this.kinesis.records(streamName, shardId).map(({ data }) => new TextDecoder().decode(data)))
  }

  #putPort(streamName: string): PutPort {
    return {
      streamName,
      putRecords: async records => {
        this.puts.push(records.length)
        return records.map(record => {
          const refused = this.refuse(record)
          if (refused !== undefined) return refused
          const { partitionKey, data, explicitHashKey } = record
          try {
            this.kinesis.put(streamName, partitionKey, data, explicitHashKey === undefined ? {} : { explicitHashKey })
            return undefined
          } catch (error) {
            return error as ServiceError
          }
        })
      },
      close: () => {}
    }
  }
}

/** A failure that does not pass. */
export function hopeless(message: string): ServiceError {
  return new ServiceError('invalid-argument', message, { retryable: false })
}

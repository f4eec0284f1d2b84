// aws-kcl, the KCL for Node.js: a Java daemon that reads the stream, and hands records over standard input, as one line of
// JSON for each batch, to one Node.js process per shard. All of them are measured together, on one core as everybody.
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { startDynalite } from '../../examples/support/emulators.ts'
import { streamNameOf } from '../source/streams.ts'
import { Daemon, processUse } from './aws-kcl-daemon.ts'
import { AWS_KCL, installAwsKcl } from './aws-kcl-install.ts'
import { makeLeaseTable } from './aws-kcl-leases.ts'
import type { Contender, Load, RunningContender } from './contender.ts'
import type { ContenderSample } from './meter.ts'

/** Shards that it reads, each with a process of its own: with these few a core is busy. */
export const AWS_KCL_SHARDS = 4
const APPLICATION = 'bench'
/** How long the first records may take: the JVM, the leases, the processes. */
const FIRST_RECORDS_MS = 90_000
/** For how long the JVM compiles what it runs, while everything else is on the same core. */
const WARM_UP_MS = 20_000
const LOOK_MS = 100

/** What the processes of a running daemon have, beside what every contender tells. Bytes; milliseconds. */
export interface AwsKclFacts {
  readonly jvmBytes: number
  readonly nodeBytes: number
  readonly jvmCpuMs: number
  readonly nodeCpuMs: number
  /** From the start of the JVM to the first records, with leases in the table. */
  readonly firstRecordsMs: number
}

/** An aws-kcl that reads. */
export interface RunningAwsKcl extends RunningContender {
  facts(): AwsKclFacts
}

/** aws-kcl as a contender. */
export interface AwsKcl extends Contender {
  start(load: Load): Promise<RunningAwsKcl>
}

/** Says what takes long: what is fetched. */
export type Say = (line: string) => void

/** aws-kcl as a contender. Its start rejects with an Error that begins with "not measured" where there is no JVM. */
export function awsKcl(say: Say): AwsKcl {
  return {
    name: 'aws-kcl',
    title: `aws-kcl ${AWS_KCL}: Java daemon and ${AWS_KCL_SHARDS} Node.js processes for ${AWS_KCL_SHARDS} shards`,
    decides: false,
    // It takes half a minute until the JVM is warm.
    rounds: 1,
    wire: 'cbor',
    payloads: ['kpl', 'small', 'kilobyte'],
    start: load => startAwsKcl(load, say)
  }
}

async function startAwsKcl(load: Load, say: Say): Promise<RunningAwsKcl> {
  const installation = installAwsKcl(say)
  const dynalite = await startDynalite()
  const reports = new Reports()
  let daemon: Daemon | undefined
  const end = async (): Promise<void> => {
    await daemon?.end()
    reports.close()
    await dynalite.close()
  }
  try {
    await makeLeaseTable(dynalite.endpoint, APPLICATION, AWS_KCL_SHARDS)
    daemon = new Daemon({
      installation,
      streamName: streamNameOf(load.payload, AWS_KCL_SHARDS),
      applicationName: APPLICATION,
      kinesis: load.http2,
      dynamodb: dynalite.endpoint,
      port: await reports.listen()
    })
    const running = daemon
    reports.measure(running.pid)
    const firstRecordsMs = await firstRecords(running, reports)
    await sleep(WARM_UP_MS)
    return {
      sample: async () => {
        if (running.hasEnded) throw new Error(`The daemon of aws-kcl has ended: ${running.log}`)
        return reports.sample()
      },
      takeBlocks: async () => [],
      facts: () => factsOf(running.pid, reports.pids(), firstRecordsMs),
      end
    }
  } catch (error) {
    await end()
    throw error
  }
}

/** Waits until every shard has been read. @returns how long the first records took, in milliseconds */
async function firstRecords(daemon: Daemon, reports: Reports): Promise<number> {
  const beganMs = performance.now()
  let firstMs: number | undefined
  while (reports.pids().length < AWS_KCL_SHARDS) {
    await sleep(LOOK_MS)
    const nowMs = performance.now()
    if (reports.pids().length > 0) firstMs ??= nowMs - beganMs
    if (daemon.hasEnded) throw new Error(`The daemon of aws-kcl ended before it had read anything: ${daemon.log}`)
    if (nowMs > beganMs + FIRST_RECORDS_MS) throw new Error(`aws-kcl read nothing for too long: ${daemon.log}`)
  }
  return firstMs ?? 0
}

function factsOf(jvm: number, processors: readonly number[], firstRecordsMs: number): AwsKclFacts {
  const { cpuMs: jvmCpuMs, residentBytes: jvmBytes } = processUse(jvm)
  const uses = processors.map(processUse)
  const nodeCpuMs = uses.reduce((sum, { cpuMs }) => sum + cpuMs, 0)
  const nodeBytes = uses.reduce((sum, { residentBytes }) => sum + residentBytes, 0)
  return { jvmBytes, nodeBytes, jvmCpuMs, nodeCpuMs, firstRecordsMs }
}

/** Hears from the record processors, and adds up. */
class Reports {
  readonly #server: Server = createServer(socket => this.#accept(socket))
  readonly #sockets = new Set<Socket>()
  readonly #pids = new Set<number>()
  #daemon = -1
  #sample: ContenderSample = { records: 0, answers: 0, touched: 0, cpuMs: 0, atMs: 0 }

  /** @returns the port */
  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return (this.#server.address() as AddressInfo).port
  }

  /** From now on counts the CPU time of this process too. */
  measure(daemon: number): void {
    this.#daemon = daemon
  }

  /** The processes that have handled records. */
  pids(): readonly number[] {
    return [...this.#pids]
  }

  /** How it stood at the end of the last batch. */
  sample(): ContenderSample {
    return this.#sample
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => {})
    createInterface({ input: socket }).on('line', line => this.#hear(line))
  }

  #hear(line: string): void {
    const [pid = 0, records = 0, touched = 0] = line.split(' ').map(Number)
    this.#pids.add(pid)
    this.#sample = {
      records: this.#sample.records + records,
      answers: this.#sample.answers + 1,
      touched: (this.#sample.touched ?? 0) + touched,
      cpuMs: [this.#daemon, ...this.#pids].reduce((sum, each) => sum + processUse(each).cpuMs, 0),
      atMs: performance.now()
    }
  }
}

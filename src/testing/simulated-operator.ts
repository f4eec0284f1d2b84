// Somebody who operates an application of a simulated world: the real Fleet, unchanged, in a process of its own that can crash and
// be cut off like that of a worker.
import { type Fleet, openFleet } from '../operate/fleet.ts'
import { silentLogger } from '../runtime/logger.ts'
import { type Random, seededRandom } from '../runtime/random.ts'
import type { WorkerOptions } from '../worker/options.ts'
import type { FakeKinesis } from './fake-kinesis.ts'
import type { FaultPlan } from './faults.ts'
import { Gate, gatedClock } from './gate.ts'
import { Line, type Partition } from './network.ts'
import type { SimulatedApplication } from './simulated-application.ts'
import { controlStoreThrough, kinesisThrough, leaseStoreThrough } from './simulated-ports.ts'
import type { VirtualClock } from './virtual-clock.ts'

/** How an operator differs from others. */
export interface OperatorTraits {
  /** What it is called in the journal. Default `operator`. */
  readonly name?: string
}

/** What an operator is made of. */
export interface SimulatedOperatorParts {
  readonly name: string
  readonly options: WorkerOptions
  readonly clock: VirtualClock
  readonly kinesis: FakeKinesis
  readonly faults: FaultPlan
  readonly random: Random
  readonly application: SimulatedApplication
}

const TIMEOUT_MS = { dynamodb: 5_000, kinesis: 10_000 }

/** An operator. Made by `World.operator`. */
export class SimulatedOperator {
  /** What it is called in the journal. */
  readonly name: string
  /** The fleet as this operator reaches it. */
  readonly fleet: Fleet
  readonly #gate: Gate
  readonly #line: Line

  constructor({ name, options, clock, kinesis, faults, random, application }: SimulatedOperatorParts) {
    this.name = name
    this.#gate = new Gate(name)
    this.#line = new Line({ clock, gate: this.#gate, faults, timeoutMs: TIMEOUT_MS })
    const caller = { name, line: this.#line }
    const { applicationName, leases } = options
    const ports = {
      clock: gatedClock(clock, this.#gate),
      random: seededRandom(random.next() * 2 ** 32),
      kinesis: kinesisThrough(caller, kinesis.port(application.streamName)),
      store: leaseStoreThrough(caller, application.tables.leaseStoreFor(name, 'operator')),
      control: controlStoreThrough(caller, application.tables.controlStoreFor(name))
    }
    const durationMs = leases?.durationMs
    const about = { applicationName, streamName: application.streamName, by: name, logger: silentLogger }
    this.fleet = openFleet({ ...about, ...(durationMs !== undefined && { leases: { durationMs } }) }, ports)
  }

  /** Its process ends as by SIGKILL: it does and hears nothing any more. What it has sent arrives. */
  crash(): void {
    this.#gate.kill()
  }

  /** What it is cut off from: `undefined` is from nothing. */
  set partition(partition: Partition | undefined) {
    this.#line.partition = partition
  }
}

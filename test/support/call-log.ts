// Processors of a world that write down what is called of them, when and for how long, and do what the test says.
import {
  type InitializeInput,
  type LeaseLostInput,
  type ProcessRecordsInput,
  RecordProcessor,
  type ShardEndedInput,
  type ShutdownRequestedInput
} from '../../src/index.ts'
import type { Member, World, WorldWorkerOptions } from './world.ts'

/** What a test has the processors of one worker do. What is left out is done as RecordProcessor does it; every batch is checkpointed. */
export interface Script {
  initialize?(input: InitializeInput, member: Member): void | Promise<void>
  processRecords?(input: ProcessRecordsInput, member: Member): void | Promise<void>
  leaseLost?(input: LeaseLostInput, member: Member): void | Promise<void>
  shardEnded?(input: ShardEndedInput, member: Member): void | Promise<void>
  shutdownRequested?(input: ShutdownRequestedInput, member: Member): void | Promise<void>
}

/** One call of a processor. */
export interface LoggedCall {
  readonly worker: string
  readonly shardId: string
  readonly method: keyof Script
  /** Texts of the records that it was given. */
  readonly texts: readonly string[]
  readonly atMs: number
  /** When it returned or threw. Absent: not yet. */
  endedAtMs?: number
  hasThrown: boolean
}

/** Which calls are meant: all that agree with what is given. */
export type CallFilter = Partial<Pick<LoggedCall, 'worker' | 'shardId' | 'method'>>

/** Every call of every scripted processor of a world. */
export class CallLog {
  readonly calls: LoggedCall[] = []
  /** Calls that began while another one for the same shard ran in the same worker, as sentences. */
  readonly overlaps: string[] = []
  readonly #world: World

  constructor(world: World) {
    this.#world = world
  }

  /** A worker with scripted processors that is not started yet. */
  makeWorker(script: Script = {}, options: WorldWorkerOptions = {}): Member {
    const member: Member = this.#world.makeWorker({
      ...options,
      processor: () => new ScriptedProcessor(this, member, script)
    })
    return member
  }

  /** A scripted processor of a worker, for one shard. */
  processorOf(member: Member, script: Script = {}): RecordProcessor {
    return new ScriptedProcessor(this, member, script)
  }

  /** A worker with scripted processors that runs. */
  async startWorker(script: Script = {}, options: WorldWorkerOptions = {}): Promise<Member> {
    const member = this.makeWorker(script, options)
    await this.#world.await(member.worker.start())
    return member
  }

  which({ worker, shardId, method }: CallFilter = {}): LoggedCall[] {
    return this.calls.filter(
      call =>
        (worker === undefined || call.worker === worker) &&
        (shardId === undefined || call.shardId === shardId) &&
        (method === undefined || call.method === method)
    )
  }

  /** The calls as lines: `initialize`, `processRecords 0 1`, `shardEnded threw`. */
  lines(filter: CallFilter = {}): string[] {
    return this.which(filter).map(({ method, texts, hasThrown }) =>
      [method, ...texts, ...(hasThrown ? ['threw'] : [])].join(' ')
    )
  }

  async run(
    member: Member,
    shardId: string,
    method: keyof Script,
    texts: readonly string[],
    work: () => void | Promise<void>
  ): Promise<void> {
    const call: LoggedCall = {
      worker: member.name,
      shardId,
      method,
      texts,
      atMs: this.#world.clock.monotonicMs(),
      hasThrown: false
    }
    const running = this.which({ worker: member.name, shardId }).find(({ endedAtMs }) => endedAtMs === undefined)
    if (running !== undefined) this.overlaps.push(`${method} of ${shardId} while ${running.method} ran`)
    this.calls.push(call)
    try {
      await work()
      await member.pass()
    } catch (error) {
      await member.pass()
      call.hasThrown = true
      throw error
    } finally {
      call.endedAtMs = this.#world.clock.monotonicMs()
    }
  }
}

class ScriptedProcessor extends RecordProcessor {
  readonly #log: CallLog
  readonly #member: Member
  readonly #script: Script

  constructor(log: CallLog, member: Member, script: Script) {
    super()
    this.#log = log
    this.#member = member
    this.#script = script
  }

  override initialize(input: InitializeInput): Promise<void> {
    return this.#run('initialize', input, () => this.#script.initialize?.(input, this.#member))
  }

  override processRecords(input: ProcessRecordsInput): Promise<void> {
    const { records, shardId, checkpointer } = input
    this.#member.note(records, shardId)
    const { processRecords = () => checkpointer.checkpoint() } = this.#script
    const texts = records.map(record => record.text())
    return this.#run('processRecords', input, () => processRecords(input, this.#member), texts)
  }

  override leaseLost(input: LeaseLostInput): Promise<void> {
    return this.#run('leaseLost', input, () => this.#script.leaseLost?.(input, this.#member))
  }

  override shardEnded(input: ShardEndedInput): Promise<void> {
    const { shardEnded = () => super.shardEnded(input) } = this.#script
    return this.#run('shardEnded', input, () => shardEnded(input, this.#member))
  }

  override shutdownRequested(input: ShutdownRequestedInput): Promise<void> {
    const { shutdownRequested = () => super.shutdownRequested(input) } = this.#script
    return this.#run('shutdownRequested', input, () => shutdownRequested(input, this.#member))
  }

  #run(
    method: keyof Script,
    { shardId }: { readonly shardId: string },
    work: () => void | Promise<void>,
    texts: readonly string[] = []
  ): Promise<void> {
    return this.#log.run(this.#member, shardId, method, texts, work)
  }
}

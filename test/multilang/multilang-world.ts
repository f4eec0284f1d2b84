// A daemon in virtual time: a stream and tables in memory, and children that are scripted.
import { aggregate } from '../../src/kpl/aggregate.ts'
import { memoryControlStore } from '../../src/leases/memory-control-store.ts'
import { memoryLeaseStore } from '../../src/leases/memory-lease-store.ts'
import { formatPosition } from '../../src/model/sequence-number.ts'
import { runMultilang } from '../../src/multilang/daemon.ts'
import type { MultilangSettings, MultilangWorkerOptions } from '../../src/multilang/multilang-settings.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { FakeKinesis } from '../../src/testing/fake-kinesis.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import type { Worker } from '../../src/worker/worker.ts'
import { collectingLogger } from '../support/collecting-logger.ts'
import { ScriptedChildren, type Traits } from './scripted-children.ts'

export const STREAM = 'words'

/** A daemon that runs. */
export interface RunningDaemon {
  readonly exitCode: Promise<number>
  readonly worker: Worker
  stop(): void
  hurry(): void
}

export class MultilangWorld {
  readonly clock = new VirtualClock()
  readonly kinesis: FakeKinesis
  readonly store = memoryLeaseStore({ tableName: 'app' })
  readonly control = memoryControlStore({ tableName: 'control' })
  readonly logger = collectingLogger()
  readonly children: ScriptedChildren
  stderr = ''

  constructor(traits: readonly Traits[] = [], shards = 1) {
    this.children = new ScriptedChildren(...traits)
    this.kinesis = new FakeKinesis({ clock: this.clock })
    this.kinesis.createStream(STREAM, shards)
  }

  put(...texts: readonly string[]): string[] {
    return texts.map((text, index) => this.kinesis.put(STREAM, `key-${index}`, text).sequenceNumber)
  }

  putAggregate(...texts: readonly string[]): string {
    const records = texts.map(text => ({ partitionKey: 'key', data: new TextEncoder().encode(text) }))
    const { partitionKey, explicitHashKey, data } = aggregate(records)
    return this.kinesis.put(STREAM, partitionKey, data, { explicitHashKey }).sequenceNumber
  }

  /** The checkpoint of each lease, by shard. */
  async checkpoints(): Promise<Record<string, string>> {
    const { leases } = await this.store.list()
    return Object.fromEntries(leases.map(({ shardId, checkpoint }) => [shardId, formatPosition(checkpoint)]))
  }

  run(settings: Partial<MultilangSettings> = {}, options: Partial<MultilangWorkerOptions> = {}): RunningDaemon {
    const [asked, hurried] = [new AbortController(), new AbortController()]
    let worker: Worker | undefined
    const exitCode = runMultilang(
      {
        command: ['a-processor', 'of-records'],
        worker: {
          ...{ streamName: STREAM, applicationName: 'app', workerId: 'w1', startAt: 'TRIM_HORIZON' },
          ...options
        } as MultilangWorkerOptions,
        answerTimeoutMs: undefined,
        shutdownGraceMs: 30_000,
        exitTimeoutMs: 5_000,
        onChildDeath: 'restart',
        shardsPerChild: 1,
        ...settings
      },
      {
        signal: asked.signal,
        hurry: hurried.signal,
        logger: this.logger,
        stderr: {
          write: text => {
            this.stderr += text
          }
        },
        clock: this.clock,
        random: seededRandom(7),
        children: this.children,
        worker: { kinesis: this.kinesis.port(STREAM), store: this.store, control: this.control },
        opened: opened => {
          worker = opened
        }
      }
    )
    exitCode.catch(() => {})
    return {
      exitCode,
      get worker() {
        return worker as Worker
      },
      stop: () => asked.abort('stop'),
      hurry: () => hurried.abort('hurry')
    }
  }

  /** Moves time on until `promise` is settled. */
  async until<T>(promise: Promise<T>, maxMs = 600_000): Promise<T> {
    let isOver = false
    const over = (): void => {
      isOver = true
    }
    promise.then(over, over)
    await this.clock.advanceUntil(() => isOver, maxMs)
    return promise
  }
}

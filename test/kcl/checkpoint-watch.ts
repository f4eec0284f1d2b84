// Looks at the lease table again and again while others write to it: no checkpoint may ever go back, and nothing but leases may
// be in it while Java KCL 2.x reads it.
import { DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb'
import { emulatorAt } from '../../examples/support/emulators.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { type Loop, startLoop } from '../../src/runtime/loop.ts'
import type { Position } from './ledgers.ts'
import { comparePositions } from './verdict.ts'

const EVERY_MS = 250

/** A lease as it was last seen. */
export interface SeenLease {
  readonly owner: string | undefined
  readonly checkpointOwner: string | undefined
  readonly checkpoint: Position
}

/** Watches one lease table. */
export class CheckpointWatch {
  /** Checkpoints that went back, in words. */
  readonly back: string[] = []
  /** Keys of rows that are no leases. */
  readonly others = new Set<string>()
  /** Looks that were made. */
  looks = 0
  /** The table as last seen. */
  leases: ReadonlyMap<string, SeenLease> = new Map()
  readonly #client: DynamoDBClient
  readonly #tableName: string
  readonly #loop: Loop

  constructor(endpoint: string, tableName: string) {
    this.#client = new DynamoDBClient(emulatorAt(endpoint, async () => {}).clientConfig())
    this.#tableName = tableName
    this.#loop = startLoop({
      clock: systemClock,
      run: () => this.#look(),
      delayMs: () => EVERY_MS,
      // There is no table before the first worker has made one.
      onError: () => {}
    })
  }

  async stop(): Promise<void> {
    await this.#loop.stop()
    this.#client.destroy()
  }

  async #look(): Promise<void> {
    const { Items = [] } = await this.#client.send(
      new ScanCommand({ TableName: this.#tableName, ConsistentRead: true })
    )
    const leases = new Map<string, SeenLease>()
    for (const item of Items) {
      const key = item.leaseKey?.S ?? '?'
      const checkpoint = item.checkpoint?.S
      if (checkpoint === undefined || (item.entityType?.S ?? 'LEASE') !== 'LEASE') {
        this.others.add(key)
        continue
      }
      const position: Position = [checkpoint, Number(item.checkpointSubSequenceNumber?.N ?? 0)]
      const before = this.leases.get(key)
      if (before !== undefined && comparePositions(position, before.checkpoint) < 0) {
        this.back.push(`${key} went from ${before.checkpoint.join('/')} to ${position.join('/')}`)
      }
      const { S: owner } = item.leaseOwner ?? {}
      leases.set(key, { owner, checkpointOwner: item.checkpointOwner?.S, checkpoint: position })
    }
    this.leases = leases
    this.looks += 1
  }
}

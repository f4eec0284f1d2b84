// What goes into a stream: numbered records, plain ones and aggregates of several, and which of them have been seen.
import { type KinesisClient, PutRecordCommand } from '@aws-sdk/client-kinesis'
import { aggregate } from '../../src/kpl/aggregate.ts'

/** Puts numbered records. Each has its number as its key and as its payload. */
export class Traffic {
  readonly #client: KinesisClient
  readonly #stream: string
  #count = 0
  /** How many of them went in aggregates. */
  aggregated = 0

  constructor(client: KinesisClient, stream: string) {
    this.#client = client
    this.#stream = stream
  }

  /** How many records there are. */
  get count(): number {
    return this.#count
  }

  /** Puts `count` records one by one, each in a Kinesis record. */
  async put(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const id = this.#next()
      await this.#send({ PartitionKey: id, Data: Buffer.from(id) })
    }
  }

  /** Puts `count` aggregates of `size` records each. Those of an aggregate have one hash key, as the KPL sees to. */
  async putAggregates(count: number, size = 5): Promise<void> {
    for (let i = 0; i < count; i++) {
      const explicitHashKey = String(BigInt(Math.floor(Math.random() * 2 ** 32)) << 96n)
      const ids = Array.from({ length: size }, () => this.#next())
      const { partitionKey, data } = aggregate(
        ids.map(id => ({ partitionKey: id, explicitHashKey, data: Buffer.from(id) }))
      )
      await this.#send({ PartitionKey: partitionKey, ExplicitHashKey: explicitHashKey, Data: data })
      this.aggregated += size
    }
  }

  /** The records that are not among `seen`. */
  missing(seen: ReadonlySet<string>): string[] {
    return Array.from({ length: this.#count }, (_, index) => name(index)).filter(id => !seen.has(id))
  }

  async #send(input: { PartitionKey: string; ExplicitHashKey?: string; Data: Uint8Array }): Promise<void> {
    await this.#client.send(new PutRecordCommand({ StreamName: this.#stream, ...input }))
  }

  #next(): string {
    return name(this.#count++)
  }
}

function name(index: number): string {
  return `n-${index}.`
}

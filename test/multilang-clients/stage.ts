// Where the samples run: the emulators, one stream after another, and the lease tables as they are.

import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb'
import { CreateStreamCommand, DescribeStreamSummaryCommand, KinesisClient } from '@aws-sdk/client-kinesis'
import { type Emulator, startDynalite } from '../../examples/support/emulators.ts'
import { startKinesisLocal } from '../support/kinesis-local.ts'
import { pollUntil } from '../support/poll.ts'

/** A row of a lease table, as far as it matters here. */
export interface Row {
  readonly shardId: string
  readonly checkpoint: string
  readonly subSequenceNumber: number
  readonly owner: string | undefined
}

export class Stage {
  readonly folder: string
  readonly say: (what: string) => void
  readonly kinesis: Emulator
  readonly dynamo: Emulator
  readonly client: KinesisClient
  readonly #tables: DynamoDBClient

  private constructor(folder: string, say: (what: string) => void, kinesis: Emulator, dynamo: Emulator) {
    this.folder = folder
    this.say = say
    this.kinesis = kinesis
    this.dynamo = dynamo
    this.client = new KinesisClient(kinesis.clientConfig())
    this.#tables = new DynamoDBClient(dynamo.clientConfig())
  }

  static async open(folder: string, say: (what: string) => void): Promise<Stage> {
    return new Stage(folder, say, await startKinesisLocal(), await startDynalite())
  }

  /** What leads the SDKs of every language to the emulators, and is not in the properties of a sample. */
  get env(): Readonly<Record<string, string>> {
    return {
      AWS_ACCESS_KEY_ID: 'emulator',
      AWS_SECRET_ACCESS_KEY: 'emulator',
      AWS_ENDPOINT_URL_KINESIS: this.kinesis.endpoint,
      AWS_ENDPOINT_URL_DYNAMODB: this.dynamo.endpoint,
      AWS_EC2_METADATA_DISABLED: 'true'
    }
  }

  /** A folder of its own for one run. */
  newFolder(name: string): string {
    return mkdtempSync(join(this.folder, `${name}-`))
  }

  async createStream(name: string, shards: number): Promise<void> {
    await this.client.send(new CreateStreamCommand({ StreamName: name, ShardCount: shards }))
    await pollUntil('the stream to be active', async () => {
      const { StreamDescriptionSummary: summary } = await this.client.send(
        new DescribeStreamSummaryCommand({ StreamName: name })
      )
      return summary?.StreamStatus === 'ACTIVE'
    })
  }

  /** The rows of a lease table. */
  async rows(table: string): Promise<Row[]> {
    const { Items = [] } = await this.#tables.send(new ScanCommand({ TableName: table, ConsistentRead: true }))
    return Items.filter(item => item.checkpoint !== undefined).map(item => ({
      shardId: item.leaseKey?.S ?? '',
      checkpoint: item.checkpoint?.S ?? '',
      subSequenceNumber: Number(item.checkpointSubSequenceNumber?.N ?? 0),
      owner: item.leaseOwner?.S
    }))
  }

  async close(): Promise<void> {
    this.client.destroy()
    this.#tables.destroy()
    await Promise.all([this.kinesis.close(), this.dynamo.close()])
  }
}

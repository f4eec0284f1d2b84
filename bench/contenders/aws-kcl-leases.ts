// The lease table that the KCL finds. With an empty one each worker first waits for up to half a minute, so that not all
// of them list the shards; with one lease per shard, that nobody has, it begins at once.
import { CreateTableCommand, DynamoDBClient, PutItemCommand, waitUntilTableExists } from '@aws-sdk/client-dynamodb'
import { CREDENTIALS, REGION } from './client-options.ts'

const HASH_SPACE = 2n ** 128n

/** Makes a table of leases for shards that have never been read. Rejects if there is one already. */
export async function makeLeaseTable(endpoint: string, tableName: string, shards: number): Promise<void> {
  const dynamo = new DynamoDBClient({ endpoint, region: REGION, credentials: CREDENTIALS })
  try {
    await dynamo.send(
      new CreateTableCommand({
        TableName: tableName,
        BillingMode: 'PAY_PER_REQUEST',
        KeySchema: [{ AttributeName: 'leaseKey', KeyType: 'HASH' }],
        AttributeDefinitions: [{ AttributeName: 'leaseKey', AttributeType: 'S' }]
      })
    )
    await waitUntilTableExists({ client: dynamo, maxWaitTime: 30, minDelay: 1 }, { TableName: tableName })
    for (let shard = 0; shard < shards; shard++) {
      await dynamo.send(new PutItemCommand({ TableName: tableName, Item: leaseOf(shard, shards) }))
    }
  } finally {
    dynamo.destroy()
  }
}

/** A lease as the KCL writes it. Together they have all hash keys: where some are missing, it looks for shards again. */
function leaseOf(shard: number, shards: number) {
  const boundary = (i: number): bigint => (HASH_SPACE * BigInt(i)) / BigInt(shards)
  return {
    leaseKey: { S: `shardId-${String(shard).padStart(12, '0')}` },
    leaseCounter: { N: '0' },
    ownerSwitchesSinceCheckpoint: { N: '0' },
    checkpoint: { S: 'TRIM_HORIZON' },
    checkpointSubSequenceNumber: { N: '0' },
    startingHashKey: { S: String(boundary(shard)) },
    endingHashKey: { S: String(boundary(shard + 1) - 1n) }
  }
}

// Code that runs in a thread of a worker on the stream of a table, for tests: it says what it was given.
import { BroadcastChannel } from 'node:worker_threads'
import { changeOf } from '../../src/dynamodb-streams/dynamodb-stream.ts'
import type { Handler } from '../../src/index.ts'

const told = new BroadcastChannel('dynamodb-streams')

export const handler: Handler = records => {
  const said = records.map(record => {
    const { eventName, keys, newImage } = changeOf(record)
    return `${eventName} ${keys.id} ${newImage?.version}`
  })
  told.postMessage(said)
}

// A record processor for several shards at once: one process instead of one for each shard, with memory and connections that are
// there once. It says so in its answer to `initialize`; from there on every message says which shard it is about.
// Run: millrace multilang examples/multilang/many-shards.properties. What that asks for: docs/multilang-many-shards.md
import { createInterface } from 'node:readline'

/** So many shards it would take. How many it is given is up to the daemon: millrace.shardsPerChild. */
const MAX_SHARDS = 16

/** What is known of each shard: how many records it has brought, and what waits for its checkpoint. */
const shards = new Map()

const answer = message => process.stdout.write(`\n${JSON.stringify(message)}\n`)
const done = (action, shardId) => answer({ action: 'status', responseFor: action, shardId, maxShards: MAX_SHARDS })

/** Asks for a checkpoint of everything that was given of this shard; the answer comes as a message of its own. */
function checkpoint(shardId, action) {
  shards.get(shardId).waiting = action
  answer({ action: 'checkpoint', shardId, sequenceNumber: null })
}

function act({ action, records, error, ...message }) {
  // A daemon that gives each shard a process of its own says the shard once.
  const shardId = message.shardId ?? [...shards.keys()][0]
  const shard = shards.get(shardId)
  switch (action) {
    case 'initialize':
      shards.set(shardId, { count: 0, waiting: undefined })
      return done(action, shardId)
    case 'processRecords':
      shard.count += records.length
      console.error(`${shardId}: ${shard.count} records; ${shards.size} shards in process ${process.pid}`)
      return checkpoint(shardId, action)
    case 'shutdownRequested':
    case 'shardEnded':
      return checkpoint(shardId, action)
    case 'checkpoint':
      if (error !== null) console.error(`${shardId}: no checkpoint, ${error}`)
      else if (shard.waiting === 'shardEnded') shards.delete(shardId)
      return done(shard.waiting, shardId)
    case 'leaseLost':
      return done(action, shardId)
  }
}

createInterface({ input: process.stdin }).on('line', line => {
  const message = JSON.parse(line)
  act(message)
  // The shard is over here. Its name comes again only with `initialize`.
  if (message.action === 'leaseLost') shards.delete(message.shardId)
})

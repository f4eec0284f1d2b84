// A record processor that speaks KCL's protocol by itself: JSON lines in, JSON lines out, no library. Any language can do this.
// Run: millrace multilang examples/multilang/sample.properties
import { createInterface } from 'node:readline'

let shardId

/** Everything that is printed is a message, so what is for people goes to standard error, and from there to the daemon's log. */
const say = text => console.error(text)
// The line feed in front keeps a message apart from whatever a library may have printed without one.
const answer = message => process.stdout.write(`\n${JSON.stringify(message)}\n`)

function act(message) {
  switch (message.action) {
    case 'initialize':
      shardId = message.shardId
      return done(message)
    case 'processRecords':
      for (const { data, partitionKey } of message.records) {
        say(`record ${shardId} ${partitionKey} ${Buffer.from(data, 'base64').toString()}`)
      }
      return checkpoint(message)
    case 'shardEnded': // has to checkpoint: it is the end of the shard that is stored
    case 'shutdownRequested':
      return checkpoint(message)
    case 'leaseLost': // may not: the shard is somebody else's
      return done(message)
    case 'checkpoint':
      return checkpointed(message)
  }
}

/** Says that an action is done. Only then does the next one come. */
const done = ({ action }) => answer({ action: 'status', responseFor: action })

/** The action that waits for its checkpoint. */
let waiting

/** Asks for a checkpoint at everything that was given so far; the answer comes as a message of its own. */
function checkpoint(message) {
  waiting = message
  answer({ action: 'checkpoint', sequenceNumber: null })
}

function checkpointed({ error }) {
  if (error !== null) say(`no checkpoint for ${shardId}: ${error}`)
  done(waiting)
}

// The end of standard input is the request to end.
createInterface({ input: process.stdin }).on('line', line => line !== '' && act(JSON.parse(line)))

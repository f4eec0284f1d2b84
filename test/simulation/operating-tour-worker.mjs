// The module that the workers of `npm run operating-tour` run: writes down what it is given and when, as lines of JSON in a file of
// its own, and hangs at a shard for as long as a file says so.
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { RecordProcessor } from '../../dist/index.js'

const { LEDGER = 'ledger', HANG = 'hang' } = process.env

const note = line => appendFileSync(LEDGER, `${JSON.stringify({ atMs: Date.now(), ...line })}\n`)
const hangsAt = shardId => existsSync(HANG) && readFileSync(HANG, 'utf8') === shardId

export class Ledger extends RecordProcessor {
  #shardId = ''

  initialize({ shardId }) {
    this.#shardId = shardId
    note({ what: 'opened', shardId })
  }

  async processRecords({ records, checkpointer }) {
    while (hangsAt(this.#shardId)) await sleep(100)
    for (const record of records) {
      const { sequenceNumber, arrivedAtMs } = record
      note({ what: 'delivered', shardId: this.#shardId, sequenceNumber, arrivedAtMs, text: record.text() })
    }
    await checkpointer.checkpoint()
  }
}

// A shard is red after 6 s without progress, instead of a minute, so that nobody has to wait for it.
export const options = { retrieval: { requestTimeoutMs: 3_000 }, watchdog: { stallMs: 6_000 } }

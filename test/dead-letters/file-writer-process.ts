// A process that stores letters in a file until it is killed, or until it has stored as many as it was told to. Writes to its output
// the sequence number of each letter that was stored.
import { writeSync } from 'node:fs'
import { fileDeadLetters } from '../../src/dead-letters/file-dead-letters.ts'
import { aLetter, noAbort } from './letters.ts'

const [path = '', first = '0', count = '0', size = '100'] = process.argv.slice(2)
const file = fileDeadLetters({ path })

/** As a shard does it: the next once the last is stored. */
async function storeFrom(from: number, step: number): Promise<void> {
  for (let number = from; number < Number(first) + Number(count); number += step) {
    const data = Buffer.alloc(1 + ((number * 7_919) % Number(size)), number)
    await file.store([aLetter({ sequenceNumber: String(number), data })], noAbort())
    writeSync(1, `${number}\n`)
  }
}

await Promise.all([0, 1, 2].map(shard => storeFrom(Number(first) + shard, 3)))

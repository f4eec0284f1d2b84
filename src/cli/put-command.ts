// millrace put: lines from standard input, or arguments, as records of a stream.

import { PUT_LIMITS } from '../dead-letters/kinesis-dead-letters.ts'
import { linesOf } from '../dead-letters/letter-lines.ts'
import { sendAll } from '../dead-letters/send-all.ts'
import type { PutPort } from '../kinesis/put-port.ts'
import type { UserRecord } from '../kpl/aggregate.ts'
import { messageOf, OptionError } from '../model/errors.ts'
import type { Shard } from '../model/shard.ts'
import { randomWord } from '../runtime/random.ts'
import type { CommandContext, CommandSpec } from './command.ts'
import { EXIT } from './exit-codes.ts'
import { interruptible } from './interruption.ts'
import { aggregatedEntries, type PutEntry, plainEntries } from './put-batch-rules.ts'
import { plural } from './text-rules.ts'
import { quoted } from './value-rules.ts'

interface PutFlags {
  readonly key?: string
  readonly aggregate?: boolean
}

/** Puts records into a stream. */
export const putCommand: CommandSpec = {
  name: 'put',
  summary: 'put records into a stream: each argument, or each line of standard input',
  usesAws: true,
  define: command =>
    command
      .argument('<stream>', 'name of the stream')
      .argument('[data...]', 'payloads; without any, the lines of standard input, empty ones left out')
      .option('-k, --key <key>', 'partition key of all records (default: a random one for each)')
      .option('-a, --aggregate', 'put them as KPL aggregates, those of one shard together'),
  run: put
}

async function put(context: CommandContext, [stream, data]: readonly unknown[], given: object): Promise<number> {
  const { ports, terminal, clients } = context
  const flags = given as PutFlags
  const { key } = flags
  if (key !== undefined && (key === '' || Array.from(key).length > 256)) {
    throw new OptionError('--key', `is ${quoted(key)}, expected 1 to 256 characters`)
  }
  const streamName = String(stream)
  const payloads = data as readonly string[]
  const port = ports.openPut(streamName, clients.kinesis)
  const kinesis = flags.aggregate === true ? ports.openKinesis(streamName, clients.kinesis) : undefined
  if (payloads.length === 0 && ports.stdin.isTTY === true) {
    terminal.remark(`Each line is put into ${streamName}. Ctrl-D ends it.`)
  }
  try {
    return await interruptible(ports, async signal => {
      const putting = new Putting(context, port, { key, signal, shards: await kinesis?.listShards({ signal }) })
      if (payloads.length > 0) await putting.put(payloads.map(text => Buffer.from(text)))
      else await putting.putLines(signal)
      return putting.conclude(streamName)
    })
  } finally {
    port.close()
    kinesis?.close()
  }
}

interface PuttingOptions {
  readonly key: string | undefined
  readonly signal: AbortSignal
  /** Present: records are aggregated for these. */
  readonly shards: readonly Shard[] | undefined
}

class Putting {
  readonly #context: CommandContext
  readonly #port: PutPort
  readonly #options: PuttingOptions
  #put = 0
  #kinesisRecords = 0
  #failed = 0
  #firstError: unknown

  constructor(context: CommandContext, port: PutPort, options: PuttingOptions) {
    this.#context = context
    this.#port = port
    this.#options = options
  }

  /** Puts the lines of standard input: what comes together goes together, and nothing waits for more. */
  async putLines(signal: AbortSignal): Promise<void> {
    const { stdin } = this.#context.ports
    const stop = (): void => void stdin.destroy()
    signal.addEventListener('abort', stop, { once: true })
    try {
      let lines: Uint8Array[] = []
      const pieces = flushing(stdin as AsyncIterable<Uint8Array>, async () => {
        const ready = lines
        lines = []
        await this.put(ready)
      })
      for await (const { bytes } of linesOf(pieces)) if (bytes !== undefined) lines.push(bytes)
      await this.put(lines)
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      signal.removeEventListener('abort', stop)
    }
  }

  async put(payloads: readonly Uint8Array[]): Promise<void> {
    const { ports } = this.#context
    const { key, signal, shards } = this.#options
    if (payloads.length === 0) return
    const records = payloads.map((data): UserRecord => ({ partitionKey: key ?? randomWord(12, ports.random), data }))
    const entries = shards === undefined ? plainEntries(records) : aggregatedEntries(records, shards)
    const send = async (batch: readonly PutEntry[]) => {
      const errors = await this.#port.putRecords(batch, { signal })
      return batch.flatMap((entry, n) => (errors[n] === undefined ? [] : [{ entry, error: errors[n] }]))
    }
    const { clock, random } = ports
    const refused = await sendAll(entries, { clock, random, limits: PUT_LIMITS, signal, send })
    const failed = refused.reduce((sum, { entry }) => sum + entry.userRecords, 0)
    this.#failed += failed
    this.#firstError ??= refused[0]?.error
    this.#put += records.length - failed
    this.#kinesisRecords += entries.length - refused.length
  }

  /** Says what was done. Resolves with the exit code. */
  async conclude(streamName: string): Promise<number> {
    const { terminal } = this.#context
    const [put, kinesisRecords, failed] = [this.#put, this.#kinesisRecords, this.#failed]
    if (terminal.isJson) await terminal.json({ stream: streamName, put, kinesisRecords, failed })
    const inside = kinesisRecords === put ? '' : ` in ${plural(kinesisRecords, 'Kinesis record')}`
    terminal.remark(`${plural(put, 'record')}${inside} put into ${streamName}`)
    if (failed === 0) return EXIT.ok
    terminal.stderr.write(`${plural(failed, 'record')} refused, the first because: ${messageOf(this.#firstError)}\n`)
    return EXIT.failed
  }
}

/** The pieces as they come; before each wait for the next, what was made of the last one is put away. */
async function* flushing(pieces: AsyncIterable<Uint8Array>, flush: () => Promise<void>): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    yield piece
    await flush()
  }
}

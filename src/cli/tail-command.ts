// millrace tail: a stream as lines, as it comes. Reads without leases, so it takes nothing from the workers but their share of the
// read limit, and remembers nothing.
import type { IteratorStart, KinesisPort } from '../kinesis/kinesis-port.ts'
import { messageOf, OptionError } from '../model/errors.ts'
import type { ConsumedRecord } from '../model/record.ts'
import { isClosed, type Shard } from '../model/shard.ts'
import type { StartPosition } from '../model/start-position.ts'
import { retry } from '../runtime/retry.ts'
import { type CommandContext, type CommandSpec, collected } from './command.ts'
import { EXIT } from './exit-codes.ts'
import { interruptible } from './interruption.ts'
import { tailShard } from './shard-tail.ts'
import { lineOf, objectOf, parseFilter, type RecordFilter, shardsToBegin, textOf } from './tail-rules.ts'
import { quoted, startPosition, wholeNumber } from './value-rules.ts'

interface TailFlags {
  readonly from: string
  readonly filter?: readonly string[]
  readonly shard?: readonly string[]
  readonly limit?: string
  readonly follow: boolean
  readonly raw?: boolean
}

/** Shows a stream as lines. */
export const tailCommand: CommandSpec = {
  name: 'tail',
  summary: 'show the records of a stream as lines, de-aggregated, as they come',
  usesAws: true,
  define: command =>
    command
      .argument('<stream>', 'name of the stream')
      .option('-f, --from <position>', 'where to begin: trim, latest, a time, or 5m for five minutes ago', 'latest')
      .option(
        '--filter <pattern>',
        'only records whose key or payload contains this; key=… or text=… for one of them, /…/ for a regular expression; again for more, all must hold',
        collected
      )
      .option('-s, --shard <id>', 'only this shard, by its id or its number; again for more', collected)
      .option('-n, --limit <count>', 'end after so many records')
      .option('--no-follow', 'end at the tip of the stream instead of waiting for more')
      .option('--raw', 'payloads alone, as they are, each with a line break behind it'),
  run: tail
}

const LIST_RETRY = { attempts: 10, backoff: { firstMs: 500, maxMs: 5_000 } }

async function tail(context: CommandContext, [stream]: readonly unknown[], given: object): Promise<number> {
  const flags = given as TailFlags
  const { ports, clients, terminal } = context
  const plan: TailPlan = {
    from: startPosition('--from', flags.from, ports.clock.epochMs()),
    filters: (flags.filter ?? []).map(parseFilter),
    only: flags.shard ?? [],
    limit:
      flags.limit === undefined
        ? Number.POSITIVE_INFINITY
        : wholeNumber('--limit', flags.limit, { min: 1, max: 1_000_000_000 }),
    follow: flags.follow,
    raw: flags.raw === true
  }
  if (plan.raw && terminal.isJson) throw new OptionError('--raw', 'is given beside --json, expected one of them')
  const kinesis = ports.openKinesis(String(stream), clients.kinesis)
  try {
    return await interruptible(ports, async signal => {
      await new Tail(context, kinesis, plan, signal).run()
      return EXIT.ok
    })
  } finally {
    kinesis.close()
  }
}

interface TailPlan {
  readonly from: StartPosition
  readonly filters: readonly RecordFilter[]
  readonly only: readonly string[]
  readonly limit: number
  readonly follow: boolean
  readonly raw: boolean
}

class Tail {
  readonly #context: CommandContext
  readonly #kinesis: KinesisPort
  readonly #plan: TailPlan
  /** Aborts when it is over: asked to end, enough records, or a shard that cannot be read. */
  readonly #over = new AbortController()
  readonly #begun = new Set<string>()
  readonly #done = new Set<string>()
  readonly #running = new Set<Promise<void>>()
  #left: number
  #failure: unknown

  constructor(context: CommandContext, kinesis: KinesisPort, plan: TailPlan, signal: AbortSignal) {
    this.#context = context
    this.#kinesis = kinesis
    this.#plan = plan
    this.#left = plan.limit
    const end = (): void => this.#over.abort(signal.reason)
    if (signal.aborted) end()
    else signal.addEventListener('abort', end, { once: true })
  }

  /** Resolves when there is nothing more to show; rejects with what makes reading on pointless. */
  async run(): Promise<void> {
    const listed = this.#chosen(await this.#list())
    if (this.#plan.from === 'LATEST') {
      // What was closed before has nothing new; what continues it is listed, too.
      for (const { shardId } of listed.filter(isClosed)) {
        this.#begun.add(shardId)
        this.#done.add(shardId)
      }
    }
    const known = new Set(listed.map(({ shardId }) => shardId))
    this.#begin(listed, known)
    while (this.#running.size > 0) await Promise.race(this.#running)
    if (this.#failure !== undefined) throw this.#failure
  }

  /** @param known the shards that were there when it began: what comes later is read from its beginning */
  #begin(listed: readonly Shard[], known: ReadonlySet<string>): void {
    for (const { shardId } of shardsToBegin(listed, this.#begun, this.#done)) {
      this.#begun.add(shardId)
      const start = known.has(shardId) ? startOf(this.#plan.from) : startOf('TRIM_HORIZON')
      const running = this.#read(shardId, start, known)
        .catch(error => {
          if (!this.#over.signal.aborted) this.#failure = error
          this.#over.abort(error)
        })
        .finally(() => this.#running.delete(running))
      this.#running.add(running)
    }
  }

  async #read(shardId: string, start: IteratorStart, known: ReadonlySet<string>): Promise<void> {
    const { clock, random } = this.#context.ports
    const how = await tailShard({
      ...{ kinesis: this.#kinesis, shardId, start, clock, random },
      follow: this.#plan.follow,
      signal: this.#over.signal,
      onRecords: records => this.#show(shardId, records),
      onRetry: error => this.#context.terminal.remark(`${shardId}: ${messageOf(error)}; trying again`)
    })
    if (how !== 'ended') return
    this.#done.add(shardId)
    this.#begin(this.#chosen(await this.#list()), known)
  }

  async #list(): Promise<Shard[]> {
    const { clock, random } = this.#context.ports
    const { signal } = this.#over
    try {
      return await retry(() => this.#kinesis.listShards({ signal }), LIST_RETRY, { clock, random, signal })
    } catch (error) {
      if (signal.aborted) return []
      throw error
    }
  }

  /** The shards that were asked for. What continues one of them was not. */
  #chosen(listed: readonly Shard[]): readonly Shard[] {
    const { only } = this.#plan
    if (only.length === 0 || listed.length === 0) return listed
    const isMeant = (shardId: string, name: string): boolean => shardId === name || numberOf(shardId) === numberOf(name)
    for (const name of only) {
      if (listed.some(({ shardId }) => isMeant(shardId, name))) continue
      const ids = listed.map(({ shardId }) => shardId)
      const some = ids.slice(0, 10).join(', ') + (ids.length > 10 ? ` and ${ids.length - 10} more` : '')
      throw new OptionError('--shard', `is ${quoted(name)}, expected one of ${some}`)
    }
    return listed.filter(({ shardId }) => only.some(name => isMeant(shardId, name)))
  }

  async #show(shardId: string, records: readonly ConsumedRecord[]): Promise<void> {
    const { terminal } = this.#context
    for (const record of records) {
      if (this.#left <= 0) break
      if (!this.#isMeant(record)) continue
      this.#left -= 1
      if (this.#plan.raw) await terminal.write(Buffer.concat([record.data, NEWLINE]))
      else if (terminal.isJson) await terminal.json(objectOf(shardId, record))
      else await terminal.line(lineOf(shardId, record, terminal.colors))
    }
    if (this.#left <= 0) this.#over.abort(new Error('There were as many records as were asked for'))
  }

  #isMeant(record: ConsumedRecord): boolean {
    const text = (): string => textOf(record.data) ?? ''
    return this.#plan.filters.every(filter => filter(record.partitionKey, text))
  }
}

const NEWLINE: Uint8Array = Uint8Array.of(10)

/** `shardId-000000000012` and `12` are the same shard. Other names have no number. */
function numberOf(name: string): string {
  return /^(?:shardId-)?0*(\d+)$/.exec(name)?.[1] ?? name
}

function startOf(from: StartPosition): IteratorStart {
  return from instanceof Date ? { type: 'AT_TIMESTAMP', timestampMs: from.getTime() } : { type: from }
}

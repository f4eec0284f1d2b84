// Worker processes are killed with SIGKILL again and again while records are put and shards are split and merged.
// On the real wire: what is left in the lease table is all that a successor has.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KinesisClient, ListShardsCommand } from '@aws-sdk/client-kinesis'
import { expect } from 'chai'
import { aggregate } from '../../src/kpl/aggregate.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { type Random, seededRandom } from '../../src/runtime/random.ts'
import { type Emulator, startDynalite, startKinesalite } from '../support/emulators.ts'
import { type Account, account, readLedger } from '../support/ledger.ts'
import { pollUntil } from '../support/poll.ts'
import { seedOr } from '../support/seeds.ts'
import { createStream, mergeShards, putRecords, type RecordToPut, splitShard } from '../support/streams.ts'

const SEED = seedOr(20_260)
const KILLS = Number(process.env.KILLS ?? 50)
const LEASE_MS = 1_000
const STREAM = 'orders'

class Fleet {
  readonly ledgers: string[] = []
  readonly #folder = mkdtempSync(join(tmpdir(), 'millrace-kill-'))
  readonly #running = new Set<ChildProcess>()
  readonly #env: NodeJS.ProcessEnv

  constructor(kinesis: Emulator, dynamodb: Emulator) {
    this.#env = {
      ...process.env,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'none',
      AWS_SECRET_ACCESS_KEY: 'none',
      AWS_ENDPOINT_URL_KINESIS: kinesis.endpoint,
      AWS_ENDPOINT_URL_DYNAMODB: dynamodb.endpoint,
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
      STREAM,
      APPLICATION: 'kill-test',
      LEASE_MS: String(LEASE_MS)
    }
  }

  /** Starts a process; resolves once its worker has looked for leases. */
  async start(): Promise<void> {
    const ledger = join(this.#folder, `ledger-${this.ledgers.length}`)
    const script = join(import.meta.dirname, '../support/ledger-worker.mjs')
    const child = fork(script, {
      env: { ...this.#env, LEDGER: ledger },
      execArgv: [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc']
    })
    this.ledgers.push(ledger)
    this.#running.add(child)
    child.once('exit', () => this.#running.delete(child))
    await Promise.race([
      once(child, 'message'),
      once(child, 'exit').then(([code]) => {
        throw new Error(`A worker process ended with ${code} while starting: ${readLedger(ledger).errors.join('; ')}`)
      })
    ])
  }

  async kill(random: Random): Promise<void> {
    const children = [...this.#running]
    const victim = children[Math.floor(random.next() * children.length)]
    if (victim === undefined) return
    const exit = once(victim, 'exit')
    victim.kill('SIGKILL')
    await exit
  }

  /** Ends every process gently; resolves with their exit codes. */
  async stop(): Promise<(number | null)[]> {
    const exits = [...this.#running].map(child => once(child, 'exit').then(([code]) => code as number | null))
    for (const child of this.#running) child.kill('SIGTERM')
    return Promise.all(exits)
  }

  account(produced: number): Account {
    return account(this.ledgers.map(readLedger), produced)
  }

  async dispose(): Promise<void> {
    for (const child of this.#running) child.kill('SIGKILL')
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** Puts numbered records of twenty keys, one half plain and one half aggregated by key, until stopped. */
class Producer {
  produced = 0
  readonly #stop = new AbortController()
  #done: Promise<void> = Promise.resolve()

  start(client: KinesisClient, random: Random): void {
    this.#done = this.#run(client, random)
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#done
  }

  async #run(client: KinesisClient, random: Random): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const records = Array.from({ length: 4 }, () => this.#record(`key-${Math.floor(random.next() * 20)}`, random))
      await putRecords(client, STREAM, records)
      await systemClock.sleep(40, this.#stop.signal)
    }
  }

  #record(partitionKey: string, random: Random): RecordToPut {
    const next = (): Uint8Array => new TextEncoder().encode(String(this.produced++))
    if (random.next() < 0.5) return { partitionKey, data: next() }
    const users = Array.from({ length: 2 + Math.floor(random.next() * 6) }, () => ({ partitionKey, data: next() }))
    return aggregate(users)
  }
}

/** Splits the widest open shard, or merges two neighbours, in turn. */
async function reshard(client: KinesisClient, turn: number): Promise<void> {
  const { Shards = [] } = await client.send(new ListShardsCommand({ StreamName: STREAM }))
  const open = Shards.filter(shard => shard.SequenceNumberRange?.EndingSequenceNumber === undefined)
    .map(shard => ({
      id: shard.ShardId ?? '',
      start: BigInt(shard.HashKeyRange?.StartingHashKey ?? 0),
      end: BigInt(shard.HashKeyRange?.EndingHashKey ?? 0)
    }))
    .sort((a, b) => (a.start < b.start ? -1 : 1))
  const widest = open.reduce((a, b) => (b.end - b.start > a.end - a.start ? b : a))
  const [left, right] = open
  if (turn % 2 === 0) await splitShard(client, STREAM, widest.id, String((widest.start + widest.end) / 2n))
  else if (left && right) await mergeShards(client, STREAM, left.id, right.id)
}

describe('a fleet whose processes are killed', () => {
  it(`accounts for every record after ${KILLS} times SIGKILL, splits and merges`, async function () {
    this.timeout(300_000)
    this.slow(200_000)
    const random = seededRandom(SEED)
    const [kinesis, dynamodb] = [await startKinesalite(), await startDynalite()]
    const client = new KinesisClient(kinesis.clientConfig())
    const fleet = new Fleet(kinesis, dynamodb)
    const producer = new Producer()
    try {
      await createStream(client, 3, STREAM)
      await Promise.all([fleet.start(), fleet.start(), fleet.start()])
      producer.start(client, random)
      for (let kill = 0; kill < KILLS; kill++) {
        await systemClock.sleep(200 + random.next() * 1_200)
        await fleet.kill(random)
        if (kill % 10 === 5) await reshard(client, Math.floor(kill / 10))
        await fleet.start()
      }
      await producer.stop()
      const { produced } = producer
      await pollUntil('every record to be processed', () => fleet.account(produced).missing.length === 0, 60_000).catch(
        () => undefined
      )
      expect(await fleet.stop(), `SEED=${SEED}`).to.deep.equal([0, 0, 0])

      const { missing, outOfOrder, givenAgainAfterCheckpoint, duplicates, neverStored } = fleet.account(produced)
      const counts = `${missing.length} missing, ${duplicates} twice, ${neverStored} not known to be checkpointed`
      console.log(`      SEED=${SEED}: ${KILLS} kills, ${produced} records, ${counts}`)
      expect(produced).to.be.greaterThan(KILLS * 20)
      // With so many, some have met work half-way: otherwise this test would show nothing.
      if (KILLS >= 50) expect(neverStored, `SEED=${SEED}`).to.be.greaterThan(0)
      expect(missing, `SEED=${SEED}: missing`).to.deep.equal([])
      expect(outOfOrder, `SEED=${SEED}: out of order`).to.deep.equal([])
      expect(givenAgainAfterCheckpoint, `SEED=${SEED}: given again after their checkpoint`).to.deep.equal([])
      expect(duplicates, `SEED=${SEED}: duplicates`).to.be.at.most(neverStored)
    } finally {
      await producer.stop()
      await fleet.dispose()
      client.destroy()
      await Promise.all([kinesis.close(), dynamodb.close()])
    }
  })
})

import { expect } from 'chai'
import { ProcessorGoneError } from '../../src/model/errors.ts'
import { TRIM_HORIZON } from '../../src/model/sequence-number.ts'
import type { ChildDeath } from '../../src/multilang/child-host.ts'
import { ChildPool } from '../../src/multilang/child-pool.ts'
import type { CheckpointWish, ChildSeat, Wishes } from '../../src/multilang/child-seat.ts'
import { encodeAction, encodeInitialize } from '../../src/multilang/protocol-rules.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { collectingLogger } from '../support/collecting-logger.ts'
import { ScriptedChildren, type Traits } from './scripted-children.ts'

const NEVER = new AbortController().signal

class Rig {
  readonly clock = new VirtualClock()
  readonly logger = collectingLogger()
  readonly deaths: ChildDeath[] = []
  readonly children: ScriptedChildren
  readonly pool: ChildPool

  constructor(traits: Traits | readonly Traits[], shardsPerChild = 1, answerTimeoutMs?: number) {
    this.children = new ScriptedChildren(...[traits].flat())
    this.pool = new ChildPool({
      ...{ command: ['a-processor'], door: this.children, clock: this.clock, logger: this.logger },
      ...{ exitTimeoutMs: 1_000, answerTimeoutMs, shardsPerChild, partingMs: 1_000 },
      died: death => this.deaths.push(death)
    })
  }

  async seat(shardId: string): Promise<ChildSeat> {
    const admitted = this.pool.admit(shardId, NEVER)
    await this.clock.advance(1)
    const seat = await admitted
    const status = seat.ask({ action: 'initialize', pieces: [encodeInitialize(shardId, TRIM_HORIZON)], wishes: refuse })
    await this.clock.advance(1)
    await status
    return seat
  }

  /** Asks, and says how that came out once some time has passed. */
  async ask(seat: ChildSeat, wishes: Wishes = refuse, ms = 10): Promise<string> {
    const asked = seat.ask({
      action: 'shutdownRequested',
      pieces: [encodeAction('shutdownRequested', seat.spokenShardId)],
      wishes
    })
    const outcome = asked.then(
      () => 'answered',
      (error: Error) => (error instanceof ProcessorGoneError ? error.message : `odd: ${error.message}`)
    )
    await this.clock.advance(ms)
    return Promise.race([outcome, Promise.resolve('waiting')])
  }
}

async function refuse(): Promise<void> {
  throw new Error('not here')
}

/** Says `text` instead of an answer. */
function saying(...texts: readonly string[]): Traits {
  return {
    on: {
      shutdownRequested: (_, child) => {
        for (const text of texts) child.stdout.write(`\n${text}\n`)
      }
    }
  }
}

const STATUS = '{"action":"status","responseFor":"shutdownRequested"}'

describe('ChildSeat', () => {
  it('carries out checkpoints one after another, and takes the status only after them', async () => {
    const rig = new Rig(saying('{"action":"checkpoint","sequenceNumber":"1"}', '{"action":"checkpoint"}', STATUS))
    const seat = await rig.seat('a')
    const order: string[] = []
    const wishes = async ({ sequenceNumber }: CheckpointWish): Promise<void> => {
      order.push(`begins ${sequenceNumber}`)
      await rig.clock.sleep(100)
      order.push(`ends ${sequenceNumber}`)
    }
    expect(await rig.ask(seat, wishes, 150)).to.equal('waiting')
    expect(order).to.deep.equal(['begins 1', 'ends 1', 'begins null'])
    expect(await rig.clock.advance(100).then(() => seat.waitsFor)).to.equal(undefined)
    const replies = rig.children.last.heard.filter(({ action }) => action === 'checkpoint')
    expect(replies.map(({ sequenceNumber, error }) => [sequenceNumber, error])).to.deep.equal([
      ['1', null],
      [null, null]
    ])
  })

  it('tells the child the name of the error', async () => {
    const rig = new Rig(saying('{"action":"checkpoint","sequenceNumber":"1","subSequenceNumber":2}', STATUS))
    const seat = await rig.seat('a')
    expect(await rig.ask(seat)).to.equal('answered')
    const { action, sequenceNumber, subSequenceNumber, error } = rig.children.last.heard.at(-1) ?? {}
    expect({ action, sequenceNumber, subSequenceNumber, error }).to.deep.equal({
      ...{ action: 'checkpoint', sequenceNumber: '1', subSequenceNumber: 2, error: 'Error' }
    })
  })

  it('still carries out a checkpoint of what was answered already', async () => {
    const rig = new Rig(saying(STATUS))
    const seat = await rig.seat('a')
    const wishes: CheckpointWish[] = []
    expect(
      await rig.ask(seat, async wish => {
        wishes.push(wish)
      })
    ).to.equal('answered')
    rig.children.last.say({ action: 'checkpoint', sequenceNumber: '5' })
    await rig.clock.advance(1)
    expect(wishes).to.deep.equal([{ sequenceNumber: '5', subSequenceNumber: null }])
    expect(rig.children.last.heard.at(-1)).to.include({ action: 'checkpoint', error: null })
  })

  for (const [what, said] of [
    ['another action', '{"action":"status","responseFor":"processRecords"}'],
    ['no action', '{"action":"status"}']
  ] as const) {
    it(`has its child replaced that answers ${what}`, async () => {
      const rig = new Rig(saying(said))
      const seat = await rig.seat('a')
      expect(await rig.ask(seat)).to.match(
        /^The processor of a is gone: child process 1 during shutdownRequested: it answered/
      )
      expect(seat.end?.blame).to.equal('own')
      expect(rig.children.last.signals).to.deep.equal(['SIGKILL'])
      expect(await rig.ask(seat)).to.match(/is gone/)
    })
  }

  it('takes a second status for what it is, if nothing was asked', async () => {
    const rig = new Rig(saying(STATUS, STATUS))
    const seat = await rig.seat('a')
    expect(await rig.ask(seat)).to.equal('answered')
    await rig.clock.advance(10)
    expect(rig.children.last.isOver).to.equal(false)
    expect(rig.logger.text()).to.include('a child answered what it was not asked')
  })

  it('begins to count anew with each message, and not while it writes a checkpoint', async () => {
    const rig = new Rig({ on: { shutdownRequested: (_, child) => child.say({ action: 'checkpoint' }) } }, 1, 1_000)
    const seat = await rig.seat('a')
    const slow = (): Promise<void> => rig.clock.sleep(5_000)
    expect(await rig.ask(seat, slow, 900)).to.equal('waiting')
    await rig.clock.advance(4_500)
    rig.children.last.say({ action: 'checkpoint' })
    await rig.clock.advance(5_900)
    expect(rig.children.last.isOver).to.equal(false)
    await rig.clock.advance(200)
    expect(seat.end?.error.message).to.include('it has said nothing for 1000 ms')
  })

  it('has its child replaced that asks for checkpoints without end and waits for none', async () => {
    const rig = new Rig(saying(...Array.from({ length: 1_200 }, () => '{"action":"checkpoint"}')))
    const seat = await rig.seat('a')
    let wishes = 0
    const slow = async (): Promise<void> => {
      wishes += 1
      await rig.clock.sleep(60_000)
    }
    expect(await rig.ask(seat, slow, 100)).to.include('it has said 1000 things without waiting for an answer')
    expect(rig.children.last.signals).to.deep.equal(['SIGKILL'])
    await rig.clock.advance(600_000)
    expect(wishes, 'the rest is forgotten').to.be.at.most(1)
  })

  it('is told of a child that closes its standard output, and of one that ends', async () => {
    const rig = new Rig([
      { on: { shutdownRequested: (_, child) => void child.stdout.end() } },
      { on: { shutdownRequested: (_, child) => child.end(3) } },
      {
        on: {
          shutdownRequested: (_, child) => {
            child.stdout.write(`${STATUS}`)
            child.end(0)
          }
        }
      }
    ])
    const [first, second, third] = [await rig.seat('a'), await rig.seat('b'), await rig.seat('c')]
    expect(await rig.ask(first, refuse, 2_000)).to.include('its standard output is closed')
    expect(await rig.ask(second)).to.include('it ended with exit code 3')
    expect(await rig.ask(third), 'what it said last is heard').to.equal('answered')
  })
})

describe('ChildPool', () => {
  const SHARED: Traits = { maxShards: 3, on: { shutdownRequested: () => {} } }

  it('starts a child for each shard', async () => {
    const rig = new Rig({})
    await rig.seat('a')
    await rig.seat('b')
    expect(rig.children.all).to.have.length(2)
    expect(rig.pool.size).to.equal(2)
  })

  it('waits for the first child to say what it can before it starts a second one', async () => {
    const rig = new Rig(SHARED, 8)
    const seats = ['a', 'b', 'c', 'd'].map(shardId => rig.pool.admit(shardId, NEVER))
    await rig.clock.advance(10)
    expect(rig.children.all).to.have.length(1)
    const first = await Promise.race(seats)
    void first.ask({ action: 'initialize', pieces: [encodeInitialize('a', TRIM_HORIZON)], wishes: refuse })
    await rig.clock.advance(10)
    const all = await Promise.all(seats)
    expect(all.map(({ pid }) => pid).sort()).to.deep.equal([1, 1, 1, 2])
  })

  it('ends a shared child with its last shard, and fills the places of those that left', async () => {
    const rig = new Rig({ maxShards: 3 }, 2)
    const [a, b] = [await rig.seat('a'), await rig.seat('b')]
    await a.leave()
    expect(rig.children.last.isOver).to.equal(false)
    const c = await rig.seat('c')
    expect(c.pid).to.equal(b.pid)
    await Promise.all([b.leave(), rig.clock.advance(10)])
    const left = c.leave()
    await rig.clock.advance(10)
    await left
    expect(rig.children.last.isOver).to.equal(true)
    expect(rig.pool.size).to.equal(0)
  })

  it('lets a shard leave a shared child that has not answered yet, and hears the answer', async () => {
    const rig = new Rig({ maxShards: 3, on: { shutdownRequested: () => {} } }, 3, 1_000)
    const [a, b] = [await rig.seat('a'), await rig.seat('b')]
    expect(await rig.ask(a)).to.equal('waiting')
    await a.leave()
    const again = await rig.seat('a')
    expect(again.pid, 'a child that owes an answer').to.not.equal(b.pid)
    rig.children.all[0]?.done('shutdownRequested', 'a')
    await rig.clock.advance(5_000)
    expect(b.end, 'others are left alone').to.equal(undefined)
    expect(rig.deaths).to.deep.equal([])
    expect((await rig.seat('c')).pid, 'its place is free again').to.equal(b.pid)
  })

  it('lets no shard go of a shared child that cannot be talked to and still runs', async () => {
    const rig = new Rig({ maxShards: 3, ignoresEnd: true, ignoresTerm: true }, 3)
    const [a] = [await rig.seat('a'), await rig.seat('b')]
    const [child] = rig.children.all
    child?.stdout.end()
    await rig.clock.advance(600)
    expect(a.end?.error.message).to.include('its standard output is closed')
    let hasLeft = false
    const left = a.leave().then(() => {
      hasLeft = true
    })
    await rig.clock.advance(500)
    expect({ hasLeft, isOver: child?.isOver }).to.deep.equal({ hasLeft: false, isOver: false })
    await rig.clock.advance(3_000)
    await left
    expect(child?.signals).to.deep.equal(['SIGTERM', 'SIGKILL'])
  })

  it('knows whose call a shared child has died in, if only one was waited for', async () => {
    const rig = new Rig(SHARED, 8)
    const [a, b] = [await rig.seat('a'), await rig.seat('b')]
    void rig.ask(a)
    await rig.clock.advance(10)
    rig.children.last.end(1)
    await rig.clock.advance(10)
    expect([a.end?.blame, b.end?.blame]).to.deep.equal(['own', 'another'])
    expect(rig.deaths).to.deep.equal([
      { pid: 1, shardIds: ['a', 'b'], during: { a: 'shutdownRequested' }, because: 'it ended with exit code 1' }
    ])
  })

  it('gives each its own child after one died with several calls, until a batch was processed', async () => {
    const rig = new Rig(SHARED, 8)
    const [a, b, c] = [await rig.seat('a'), await rig.seat('b'), await rig.seat('c')]
    void rig.ask(a)
    void rig.ask(b)
    await rig.clock.advance(10)
    rig.children.last.end(1)
    await rig.clock.advance(10)
    expect([a, b, c].map(({ end }) => end?.blame)).to.deep.equal(['nobody', 'nobody', 'another'])
    const [a2, b2, c2] = [await rig.seat('a'), await rig.seat('b'), await rig.seat('c')]
    expect(new Set([a2.pid, b2.pid]).size).to.equal(2)
    expect([a2.pid, b2.pid]).to.include(c2.pid)
    rig.pool.proved('b')
    expect((await rig.seat('d')).pid).to.be.oneOf([a2.pid, b2.pid])
  })

  it('ends a shared child that does not say which shard it means', async () => {
    const rig = new Rig(
      { maxShards: 3, on: { shutdownRequested: (_, child) => child.say({ action: 'checkpoint' }) } },
      8
    )
    const [a] = [await rig.seat('a'), await rig.seat('b')]
    expect(await rig.ask(a)).to.include('it said checkpoint and not of which of its shards')
  })

  it('takes no notice of what a child can where each shard is to have its own', async () => {
    const rig = new Rig({ maxShards: 3 }, 1)
    const [a, b] = [await rig.seat('a'), await rig.seat('b')]
    expect(rig.children.all).to.have.length(2)
    expect([a.spokenShardId, b.spokenShardId]).to.deep.equal([undefined, undefined])
  })

  it('starts none once it is shut', async () => {
    const rig = new Rig({})
    rig.pool.shut()
    const over = new AbortController()
    const admitted = rig.pool.admit('a', over.signal).catch(error => error)
    await rig.clock.advance(10)
    over.abort(new Error('it stops'))
    expect(await admitted).to.have.property('message', 'it stops')
    expect(rig.children.all).to.deep.equal([])
  })
})

import { expect } from 'chai'
import { ServiceError } from '../../src/model/errors.ts'
import { type ByteAllowance, ByteBudget, type HeldBytes } from '../../src/retrieval/byte-budget.ts'

/** What has become of a request. */
interface Request {
  held?: HeldBytes
  error?: unknown
}

function ask(allowance: ByteAllowance, bytes: number, signal = new AbortController().signal): Request {
  const request: Request = {}
  allowance.hold(bytes, signal).then(
    held => {
      request.held = held
    },
    error => {
      request.error = error
    }
  )
  return request
}

/** Lets promises settle. */
function settled(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}

async function held(allowance: ByteAllowance, bytes: number): Promise<HeldBytes> {
  const request = ask(allowance, bytes)
  await settled()
  if (request.held === undefined) throw new Error(`${bytes} bytes were not granted at once`)
  return request.held
}

function someShards(count: number, maxBytes: number, maxShardBytes = maxBytes) {
  const budget = new ByteBudget({ maxBytes, maxShardBytes })
  return { budget, shards: Array.from({ length: count }, () => budget.open()) as [ByteAllowance, ByteAllowance] }
}

describe('ByteBudget', () => {
  it('grants at once what there is room for, and counts it until it is given back', async () => {
    const { budget, shards } = someShards(2, 1_000)
    const one = await held(shards[0], 200)
    const two = await held(shards[1], 100)
    expect(budget.heldBytes).to.equal(300)
    one.release()
    one.release()
    expect(budget.heldBytes).to.equal(100)
    two.resize(40)
    expect([two.bytes, budget.heldBytes]).to.deep.equal([40, 40])
    two.release()
    two.resize(70)
    expect([two.bytes, budget.heldBytes]).to.deep.equal([0, 0])
  })

  it('has half of it divided evenly, and lends of the rest half of what others have left', () => {
    const { shards } = someShards(4, 800)
    expect(shards[0].shareBytes).to.equal(100 + 200)
  })

  it('offers less when others come, and more when they go', () => {
    const { budget, shards } = someShards(1, 1_000)
    const alone = shards[0].shareBytes
    const other = budget.open()
    expect([alone, shards[0].shareBytes]).to.deep.equal([750, 500])
    other.close()
    expect(shards[0].shareBytes).to.equal(750)
  })

  it('lets one shard hold no more than its cap', async () => {
    const { shards } = someShards(1, 1_000, 300)
    expect(shards[0].shareBytes).to.equal(300)
    await held(shards[0], 200)
    expect(shards[0].shareBytes).to.equal(100)
    const more = ask(shards[0], 101)
    await settled()
    expect(more.held).to.equal(undefined)
  })

  it('offers as much as a shard may always hold once what is left is too little to be worth a read', async () => {
    const { shards } = someShards(1, 1_000, 400)
    await held(shards[0], 301)
    expect(shards[0].shareBytes).to.equal(400)
  })

  it('always grants a shard that holds nothing its part, whatever others hold', async () => {
    const { budget, shards } = someShards(10, 1_000)
    for (const shard of shards.slice(1)) while (shard.shareBytes > 50) await held(shard, shard.shareBytes)
    for (const shard of shards.slice(1)) ask(shard, 290)
    await settled()
    expect(budget.heldBytes).to.be.within(450, 950)
    expect(shards[0].shareBytes).to.be.at.least(50)
    await held(shards[0], shards[0].shareBytes)
  })

  it('lends nothing more once most of the pool is lent, until enough of it has come back', async () => {
    const { shards } = someShards(20, 2_000)
    const lent: HeldBytes[] = []
    for (const shard of shards) {
      if (shard.shareBytes <= 50) break
      lent.push(await held(shard, shard.shareBytes))
    }
    expect(shards.at(-1)?.shareBytes).to.equal(50)
    const borrowed = () => lent.reduce((sum, { bytes }) => sum + Math.max(0, bytes - 50), 0)
    expect(borrowed()).to.be.above(875)
    for (const each of lent.reverse()) {
      each.release()
      const isLent = borrowed() <= 750
      expect(shards.at(-1)?.shareBytes, `${borrowed()} lent`).to.satisfy((bytes: number) => bytes > 50 === isLent)
    }
  })

  it('grants what waits for the same in the order of asking', async () => {
    const { shards } = someShards(4, 800)
    const [a, b, c, d] = shards as unknown as ByteAllowance[]
    if (!a || !b || !c || !d) throw new Error('There are four shards')
    const first = await held(a, 300)
    const large = ask(b, 290)
    const small = ask(c, 120)
    await settled()
    expect([large.held, small.held]).to.deep.equal([undefined, undefined])
    // What needs nothing of the pool passes.
    await held(d, 100)
    first.release()
    await settled()
    expect(large.held?.bytes).to.equal(290)
    expect(small.held?.bytes).to.equal(120)
  })

  it('grants what is more than there can ever be room for once the shard holds nothing', async () => {
    const { budget, shards } = someShards(2, 1_000)
    const one = await held(shards[0], 100)
    const giant = ask(shards[0], 5_000)
    await settled()
    expect(giant.held).to.equal(undefined)
    one.release()
    await settled()
    expect(budget.heldBytes).to.equal(5_000)
    const own = ask(shards[0], 1)
    await held(shards[1], 250)
    giant.held?.release()
    await settled()
    expect(own.held?.bytes).to.equal(1)
  })

  it('grants nothing more to a shard whose answer was larger than expected, until it is below again', async () => {
    const { budget, shards } = someShards(2, 1_000)
    const answer = await held(shards[0], 100)
    answer.resize(900)
    expect(budget.heldBytes).to.equal(900)
    const more = ask(shards[0], 10)
    await held(shards[1], 250)
    expect(more.held).to.equal(undefined)
    answer.resize(100)
    await settled()
    expect(more.held?.bytes).to.equal(10)
  })

  it('keeps its word to who asked for its share before others came', async () => {
    const { budget, shards } = someShards(1, 1_000)
    const one = await held(shards[0], 700)
    const next = ask(shards[0], shards[0].shareBytes)
    for (let count = 0; count < 9; count++) budget.open()
    one.release()
    await settled()
    expect(next.held?.bytes).to.equal(500)
  })

  it('lets a request leave the queue when its signal aborts, and what waited behind it go on', async () => {
    const { shards } = someShards(4, 800)
    const [a, b, c] = shards as unknown as ByteAllowance[]
    if (!a || !b || !c) throw new Error('There are four shards')
    const leaving = new AbortController()
    await held(a, 300)
    const large = ask(b, 290, leaving.signal)
    const small = ask(c, 120)
    leaving.abort(new Error('enough'))
    await settled()
    expect(large.error).to.have.property('message', 'enough')
    expect(small.held?.bytes).to.equal(120)
    const late = ask(b, 1, leaving.signal)
    await settled()
    expect(late.error).to.have.property('message', 'enough')
  })

  it('takes back the part of a shard that is closed, and counts what it holds until that is released', async () => {
    const { budget, shards } = someShards(2, 1_000)
    const one = await held(shards[0], 500)
    const waiting = ask(shards[0], 500)
    const other = ask(shards[1], 600)
    shards[0].close()
    shards[0].close()
    await settled()
    expect(budget.heldBytes).to.equal(1_100)
    expect(waiting.error).to.be.instanceOf(ServiceError)
    one.resize(400)
    expect(budget.heldBytes).to.equal(1_000)
    const next = ask(shards[1], 300)
    one.release()
    expect(budget.heldBytes).to.equal(600)
    other.held?.resize(300)
    await settled()
    expect(next.held?.bytes).to.equal(300)
    next.held?.release()
    const late = ask(shards[0], 1)
    await settled()
    expect(late.error).to.be.instanceOf(ServiceError)
    other.held?.release()
    shards[1].close()
    expect(budget.heldBytes).to.equal(0)
  })
})

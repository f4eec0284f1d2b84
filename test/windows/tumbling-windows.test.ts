import { expect } from 'chai'
import { RecordProcessor } from '../../src/processor/record-processor.ts'
import { tumblingWindows } from '../../src/windows/tumbling-windows.ts'
import { aPosition } from '../support/builders.ts'
import { WINDOW_MS, WindowWorld, type WorldOptions } from './window-world.ts'

/** A world with records at these seconds, all delivered. */
async function delivered(seconds: readonly number[], options?: WorldOptions): Promise<WindowWorld> {
  const world = new WindowWorld(options)
  await put(world, ...seconds)
  return world
}

async function put(world: WindowWorld, ...seconds: readonly number[]): Promise<unknown> {
  for (const second of seconds) world.put(second * 1_000)
  return world.deliver()
}

const statesOf = (world: WindowWorld): number[][] => world.closings.map(({ state }) => state)

describe('tumblingWindows', () => {
  it('makes record processors, and refuses bad options at once', () => {
    const windows = tumblingWindows({ windowMs: 1_000, open: () => 0, add: n => n + 1, close: () => {} })
    expect(windows()).to.be.instanceOf(RecordProcessor)
    expect(windows()).to.not.equal(windows())
    expect(windows.counts()).to.deep.equal({ records: 0, late: 0, closed: 0, closeFailures: 0 })
    expect(() => tumblingWindows({ windowMs: 1, open: () => 0, add: n => n, close: () => {} })).to.throw(/windowMs/)
  })

  it('checkpoints up to the first record of the open window, and not beyond', async () => {
    const world = await delivered([0, 30])
    expect(world.stored).to.equal(undefined)
    await put(world, 60, 90)
    expect(world.stored).to.deep.equal(aPosition(1_000_001))
    expect(world.writes).to.equal(1)
  })

  it('makes the window again for whoever has the shard next', async () => {
    const world = await delivered([0, 30, 60, 90])
    world.takeOver()
    await put(world, 95, 120)
    expect(statesOf(world)).to.deep.equal([
      [0, 1],
      [2, 3, 4]
    ])
  })

  it('leaves open windows to the next owner when it is to stop, and checkpoints what it can', async () => {
    const world = await delivered([0, 30])
    expect(await world.owner.shutDown()).to.equal(undefined)
    world.takeOver()
    await put(world, 60)
    expect(statesOf(world)).to.deep.equal([[0, 1]])
  })

  it('closes open windows early at the end of the shard, and checkpoints all', async () => {
    const world = await delivered([0, 30])
    expect(await world.owner.endShard()).to.equal(undefined)
    expect(world.closings.map(({ reason }) => reason)).to.deep.equal(['shard-end'])
    expect(world.stored).to.deep.equal(aPosition(1_000_001))
  })

  it('does nothing any more once the lease is lost', async () => {
    const world = await delivered([0, 30])
    world.owner.loseLease()
    await world.clock.advance(600_000)
    expect([world.closings.length, world.clock.sleeping]).to.deep.equal([0, 0])
  })

  it('fails the call in which a checkpoint fails, and makes only that again', async () => {
    const world = await delivered([0, 30])
    let fails = true
    world.fails = at => at === 'write' && fails
    expect(await put(world, 60)).to.be.an('error')
    fails = false
    expect(await world.deliver()).to.equal(undefined)
    expect(statesOf(world)).to.deep.equal([[0, 1]])
    expect(world.stored).to.deep.equal(aPosition(1_000_001))
  })

  it('waits for its turn only as long as its signal allows', async () => {
    let finish = (): void => {}
    const world = new WindowWorld({
      windows: { close: () => new Promise<void>(resolve => (finish = resolve)) }
    })
    await put(world, 0)
    await world.clock.advance(WINDOW_MS + 5_000)
    const own = new AbortController()
    const calling = world.owner.process(world.log.slice(0, 1), 0, own.signal)
    own.abort(new Error('took too long'))
    expect(((await calling) as Error).message).to.equal('took too long')
    finish()
    await world.clock.settle()
    expect(await put(world, 70)).to.equal(undefined)
  })
})

describe('tumblingWindows, on a shard that is quiet', () => {
  it('closes the window once the clock says that it is over, and the shard had nothing more', async () => {
    const world = await delivered([0, 30])
    await world.clock.advance(30_000 + 4_999)
    expect(world.closings).to.have.length(0)
    await world.clock.advance(1)
    expect(statesOf(world)).to.deep.equal([[0, 1]])
    expect(world.clock.sleeping).to.equal(0)
  })

  it('waits for as long as records may be late, too', async () => {
    const world = await delivered([0, 70], { allowedLatenessMs: 20_000, windows: { idleMs: 0 } })
    await world.clock.advance(50_000 + 19_999)
    expect(world.closings).to.have.length(0)
    await world.clock.advance(1)
    expect(statesOf(world)).to.deep.equal([[0], [1]])
  })

  it('closes nothing by the clock as long as there is more to read', async () => {
    const world = new WindowWorld()
    world.put(0)
    world.put(1)
    await world.deliver(1)
    await world.clock.advance(600_000)
    expect(world.closings).to.have.length(0)
  })

  it('begins to wait anew with every batch', async () => {
    const world = await delivered([0])
    await world.clock.advance(64_000)
    await put(world, 50)
    await world.clock.advance(10_000)
    expect(world.closings).to.have.length(0)
    await world.clock.advance(5_000)
    expect(statesOf(world)).to.deep.equal([[0, 1]])
  })

  it('remembers what is closed: the next owner closes nothing again, and knows what is late', async () => {
    const world = await delivered([0, 30])
    await world.clock.advance(60_000)
    world.takeOver()
    await world.deliver()
    await world.clock.advance(600_000)
    expect(world.closings).to.have.length(1)
    await put(world, 59, 61)
    await world.clock.advance(600_000)
    expect(statesOf(world)).to.deep.equal([
      [0, 1],
      [2, 3]
    ])
    expect(world.closings[1]).to.include({ id: 'shardId-000000000000/60000', late: 1, fencingToken: 2 })
  })

  it('lets the checkpoint follow, however few records there are', async () => {
    const world = new WindowWorld({ allowedLatenessMs: 10_000 })
    for (let minute = 0; minute < 20; minute += 2) {
      await put(world, minute * 60 + 1)
      await world.clock.advance(120_000)
    }
    expect(world.closings).to.have.length(10)
    expect(world.stored).to.deep.equal(aPosition(1_000_008))
  })

  it('does not close windows that another worker has by now', async () => {
    const world = await delivered([0, 30])
    const sleeper = world.owner
    world.takeOver()
    sleeper.isAlive = true
    await world.clock.advance(600_000)
    expect(world.closings).to.have.length(0)
  })

  it('tells of windows that it could not close, and tries again, less and less often', async () => {
    const told: unknown[] = []
    const world = await delivered([0, 30], { windows: { onCloseError: (error, at) => told.push([error, at]) } })
    let fails = true
    world.fails = at => at === 'close' && fails
    await world.clock.advance(35_000)
    expect(told).to.have.length(1)
    expect(told[0]).to.deep.include({ window: { startMs: 0, endMs: 60_000 }, shardId: 'shardId-000000000000' })
    await world.clock.advance(3_000)
    expect(told).to.have.length(3)
    fails = false
    await world.clock.advance(4_000)
    expect(statesOf(world)).to.deep.equal([[0, 1]])
    expect(world.owner.factory?.counts()).to.deep.equal({ records: 2, late: 0, closed: 1, closeFailures: 3 })
  })

  it('fails the next call if a window cannot be closed that records have ended', async () => {
    const world = await delivered([0, 30])
    world.fails = at => at === 'close'
    await world.clock.advance(35_000)
    expect(await put(world, 70)).to.be.an('error')
    world.fails = () => false
    expect(await world.deliver()).to.equal(undefined)
    expect(statesOf(world)).to.deep.equal([[0, 1]])
  })
})

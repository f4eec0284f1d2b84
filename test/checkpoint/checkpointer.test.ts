import { expect } from 'chai'
import { ShardProgress } from '../../src/checkpoint/checkpointer.ts'
import { CheckpointRefusedError, LeaseLostError } from '../../src/model/errors.ts'
import { type ExtendedSequenceNumber, formatPosition, TRIM_HORIZON } from '../../src/model/sequence-number.ts'
import { aPosition } from '../support/builders.ts'

const at = aPosition

/** Progress whose writes are noted. `before` runs at the beginning of each write. */
function aProgress(stored: ExtendedSequenceNumber = TRIM_HORIZON, before: () => void | Promise<void> = () => {}) {
  const writes: string[] = []
  const progress = new ShardProgress(stored, {
    save: async () => {
      throw new Error('This application keeps no positions')
    },
    checkpoint: async position => {
      await before()
      writes.push(formatPosition(position))
    },
    prepareCheckpoint: async ({ position, state }) => {
      await before()
      writes.push(`prepared ${formatPosition(position)}${state ? ` [${state}]` : ''}`)
    }
  })
  return { progress, writes }
}

const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'done',
    (error: unknown) => error
  )

describe('ShardProgress', () => {
  it('stores what its own call was given when asked for nothing else, and not what came later', async () => {
    const { progress, writes } = aProgress()
    progress.deliver(at(10))
    const first = progress.checkpointer(at(10))
    progress.deliver(at(20))
    await first.checkpoint()
    expect(writes).to.deep.equal(['10'])
    expect(progress.stored).to.deep.equal(at(10))
  })

  it('does no harm when a late call comes after a later one', async () => {
    const { progress, writes } = aProgress()
    progress.deliver(at(20))
    await progress.checkpointer(at(20)).checkpoint()
    await progress.checkpointer(at(10)).checkpoint()
    expect(writes).to.deep.equal(['20'])
  })

  it('takes a record for its position, and writes nothing else of it', async () => {
    const { progress, writes } = aProgress()
    progress.deliver(at(20))
    const record = { ...at(10, 4), partitionKey: 'x' }
    await progress.checkpointer(at(20)).checkpoint(record)
    expect(progress.stored).to.deep.equal(at(10, 4))
    expect(writes).to.deep.equal(['10#4'])
  })

  it('refuses without a write, and goes on after it', async () => {
    const { progress, writes } = aProgress(at(5))
    progress.deliver(at(10))
    const checkpointer = progress.checkpointer(at(10))
    for (const [wish, because] of [
      [at(4), 'behind'],
      [at(11), 'ahead'],
      [at('x'), 'malformed']
    ] as const) {
      for (const work of [checkpointer.checkpoint(wish), checkpointer.prepareCheckpoint(wish)]) {
        expect(await failureOf(work))
          .to.be.instanceOf(CheckpointRefusedError)
          .and.include({ because })
      }
    }
    expect(writes).to.deep.equal([])
    await checkpointer.checkpoint()
    expect(writes).to.deep.equal(['10'])
  })

  it('writes one at a time, in the order of the calls', async () => {
    let running = 0
    let most = 0
    const { progress, writes } = aProgress(TRIM_HORIZON, async () => {
      most = Math.max(most, ++running)
      await new Promise(resolve => setImmediate(resolve))
      running -= 1
    })
    progress.deliver(at(9))
    const checkpointer = progress.checkpointer(at(9))
    await Promise.all([1, 2, 3, 4].map(number => checkpointer.checkpoint(at(number))))
    expect(writes).to.deep.equal(['1', '2', '3', '4'])
    expect(most).to.equal(1)
  })

  it('keeps the stored checkpoint where a write fails, so that it can be asked for again', async () => {
    let isBroken = true
    const { progress, writes } = aProgress(at(1), () => {
      if (isBroken) throw new LeaseLostError('lease', 'gone')
    })
    progress.deliver(at(10))
    const checkpointer = progress.checkpointer(at(10))
    expect(await failureOf(checkpointer.checkpoint())).to.be.instanceOf(LeaseLostError)
    expect(progress.stored).to.deep.equal(at(1))
    isBroken = false
    await checkpointer.checkpoint()
    expect(writes).to.deep.equal(['10'])
  })

  it('prepares with the state of the application, and stores the prepared position when told to', async () => {
    const { progress, writes } = aProgress()
    progress.deliver(at(10))
    const prepared = await progress.checkpointer(at(10)).prepareCheckpoint(at(7, 1), new Uint8Array([1, 2]))
    expect(prepared.position).to.deep.equal(at(7, 1))
    expect(progress.stored).to.deep.equal(TRIM_HORIZON)
    progress.deliver(at(20))
    await prepared.checkpoint()
    expect(writes).to.deep.equal(['prepared 7#1 [1,2]', '7#1'])
    await prepared.checkpoint()
    expect(writes).to.have.length(2)
  })

  it('prepares all of its own batch without a position, and nothing where that much is stored', async () => {
    const { progress, writes } = aProgress(at(10))
    const idle = await progress.checkpointer(at(10)).prepareCheckpoint()
    expect(idle.position).to.deep.equal(at(10))
    await idle.checkpoint()
    expect(writes).to.deep.equal([])
    progress.deliver(at(12))
    await progress.checkpointer(at(12)).prepareCheckpoint()
    expect(writes).to.deep.equal(['prepared 12'])
  })

  it('refuses a prepared checkpoint once a later one is stored', async () => {
    const { progress } = aProgress()
    progress.deliver(at(10))
    const checkpointer = progress.checkpointer(at(10))
    const prepared = await checkpointer.prepareCheckpoint(at(7))
    await checkpointer.checkpoint()
    expect(await failureOf(prepared.checkpoint()))
      .to.be.instanceOf(CheckpointRefusedError)
      .and.include({ because: 'behind' })
  })

  it('tells what is settled from what is delivered, and neither goes back', () => {
    const { progress } = aProgress(at(5))
    progress.deliver(at(20))
    expect(progress.settled).to.deep.equal(at(5))
    progress.settle(at(10))
    progress.settle(at(8))
    expect(progress.settled).to.deep.equal(at(10))
    progress.settle(at(30))
    expect(progress.settled).to.deep.equal(at(30))
  })

  it('grants a checkpoint of what was settled without having been delivered', async () => {
    const { progress, writes } = aProgress()
    progress.settle(at(30))
    await progress.checkpointer(at(30)).checkpoint(at(30))
    expect(writes).to.deep.equal(['30'])
  })

  describe('of a call that has become void', () => {
    /** A checkpointer of a call that was given everything up to 10, and a way to make it void. */
    function aCall(before?: () => Promise<void>) {
      const world = aProgress(at(5), before)
      world.progress.deliver(at(10))
      let isVoid = false
      const checkpointer = world.progress.checkpointer(at(10), () => isVoid)
      const becomeVoid = (): void => {
        isVoid = true
      }
      return { ...world, checkpointer, becomeVoid }
    }

    it('stores nothing where no record is named: what the call has left undone must not count as done', async () => {
      const { writes, checkpointer, becomeVoid } = aCall()
      becomeVoid()
      for (const work of [checkpointer.checkpoint(), checkpointer.prepareCheckpoint()]) {
        expect(await failureOf(work))
          .to.be.instanceOf(CheckpointRefusedError)
          .and.include({ because: 'void' })
      }
      expect(writes).to.deep.equal([])
    })

    it('stores a record that is named, as before', async () => {
      const { writes, checkpointer, becomeVoid } = aCall()
      becomeVoid()
      const prepared = await checkpointer.prepareCheckpoint(at(6))
      await prepared.checkpoint()
      await checkpointer.checkpoint(at(7))
      expect(writes).to.deep.equal(['prepared 6', '6', '7'])
      expect(await failureOf(checkpointer.checkpoint(at(6)))).to.include({ because: 'behind' })
    })

    it('does not make a checkpoint that was prepared before, unless it names a record', async () => {
      const { writes, checkpointer, becomeVoid } = aCall()
      const named = await checkpointer.prepareCheckpoint(at(8))
      const bare = await checkpointer.prepareCheckpoint()
      becomeVoid()
      expect(await failureOf(bare.checkpoint())).to.include({ because: 'void' })
      await named.checkpoint()
      expect(writes).to.deep.equal(['prepared 8', 'prepared 10', '8'])
    })

    it('is judged when its turn comes, behind the writes that were asked for before', async () => {
      let open = (): void => {}
      const opened = new Promise<void>(resolve => {
        open = resolve
      })
      const { writes, checkpointer, becomeVoid } = aCall(() => opened)
      const named = checkpointer.checkpoint(at(6))
      const bare = failureOf(checkpointer.checkpoint())
      becomeVoid()
      open()
      await named
      expect(await bare).to.include({ because: 'void' })
      expect(writes).to.deep.equal(['6'])
    })

    it('leaves the checkpointers of other calls alone', async () => {
      const { progress, writes, becomeVoid } = aCall()
      becomeVoid()
      await progress.checkpointer(at(10)).checkpoint()
      expect(writes).to.deep.equal(['10'])
    })
  })
})

// Progress of an application that keeps positions with its own data.
import { expect } from 'chai'
import { type OwnCheckpoint, ShardProgress } from '../../src/checkpoint/checkpointer.ts'
import { CheckpointRefusedError, ServiceError } from '../../src/model/errors.ts'
import { type ExtendedSequenceNumber, formatPosition, TRIM_HORIZON } from '../../src/model/sequence-number.ts'
import { aPosition } from '../support/builders.ts'

const at = aPosition

/** What the application and the lease table have, and what was asked of them. */
class Rig {
  readonly log: string[] = []
  own: OwnCheckpoint
  leased: ExtendedSequenceNumber
  /** What becomes of the next save: the error is thrown before or after it is made. */
  failing: 'before' | 'after' | undefined
  leaseFails = false
  readonly progress: ShardProgress

  constructor(leased: ExtendedSequenceNumber, position: ExtendedSequenceNumber | undefined, saves = true) {
    this.leased = leased
    this.own = { position, saves }
    this.progress = new ShardProgress(leased, {
      save: async (to, previous) => {
        this.log.push(`save ${formatPosition(to)} after ${previous ? formatPosition(previous) : 'nothing'}`)
        const { failing } = this
        this.failing = undefined
        if (failing === 'before') throw new Error('not saved')
        this.own = { position: to, saves: true }
        if (failing === 'after') throw new Error('saved, but who knows')
      },
      checkpoint: async to => {
        this.log.push(`lease ${formatPosition(to)}`)
        if (this.leaseFails) throw new ServiceError('other', 'no', { retryable: false })
        this.leased = to
      },
      prepareCheckpoint: async ({ position: to }) => void this.log.push(`pending ${formatPosition(to)}`)
    })
    this.progress.begin(this.own)
  }

  confirm(isRepeated = false): Promise<boolean> {
    return this.progress.confirm(isRepeated, async () => {
      this.log.push('load')
      return this.own
    })
  }
}

const refusalOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'done',
    error => (error instanceof CheckpointRefusedError ? error.because : error)
  )

describe('ShardProgress, of an application that keeps positions', () => {
  it('has a position saved before it writes to the lease table, and says what was saved before', async () => {
    const rig = new Rig(at(5), undefined)
    rig.progress.deliver(at(20))
    await rig.progress.checkpointer(at(20)).checkpoint(at(10))
    await rig.progress.checkpointer(at(20)).checkpoint()
    await rig.progress.checkpointer(at(20)).checkpoint()
    expect(rig.log).to.deep.equal(['save 10 after nothing', 'lease 10', 'save 20 after 10', 'lease 20'])
    expect(rig.progress.stored).to.deep.equal(at(20))
  })

  it('saves in the order of the calls, one at a time', async () => {
    const rig = new Rig(at(5), at(5))
    rig.progress.deliver(at(9))
    const checkpointer = rig.progress.checkpointer(at(9))
    await Promise.all([6, 7, 8, 9].map(number => checkpointer.checkpoint(at(number))))
    const expected = [6, 7, 8, 9].flatMap(number => [`save ${number} after ${number - 1}`, `lease ${number}`])
    expect(rig.log).to.deep.equal(expected)
  })

  for (const [what, leased, position, saves, begins] of [
    ['nothing is saved', at(5), undefined, true, at(5)],
    ['it is ahead of the lease', at(5), at(9, 2), true, at(9, 2)],
    ['it is behind the lease, because its data were restored', at(9), at(5), true, at(5)],
    ['the lease is at its beginning', TRIM_HORIZON, at(5), true, at(5)],
    ['it saves as it likes, and is ahead', at(5), at(9), false, at(9)],
    ['it saves as it likes, and only what matters to it', at(9), at(5), false, at(9)]
  ] as const) {
    it(`begins where it is to, if ${what}`, () => {
      const { progress } = new Rig(leased, position, saves)
      expect([progress.stored, progress.settled]).to.deep.equal([begins, begins])
    })
  }

  it('brings the lease up to what was saved, with the next checkpoint, if a crash came in between', async () => {
    const rig = new Rig(at(5), at(9))
    await rig.progress.checkpointer(rig.progress.settled).checkpoint()
    expect(rig.log).to.deep.equal(['lease 9'])
  })

  it('does not take the lease back where the application is behind', async () => {
    const rig = new Rig(at(9), at(5))
    rig.progress.deliver(at(12))
    await rig.progress.checkpointer(at(7)).checkpoint()
    await rig.progress.checkpointer(at(12)).checkpoint()
    expect(rig.log).to.deep.equal(['save 7 after 5', 'save 12 after 7', 'lease 12'])
  })

  it('counts as stored what was saved, even if the lease could not be written, and writes it with the next', async () => {
    const rig = new Rig(at(5), at(5))
    rig.progress.deliver(at(9))
    rig.leaseFails = true
    expect(await refusalOf(rig.progress.checkpointer(at(9)).checkpoint())).to.be.instanceOf(ServiceError)
    expect(rig.progress.stored).to.deep.equal(at(9))
    rig.leaseFails = false
    expect(await rig.confirm(true)).to.equal(true)
    await rig.progress.checkpointer(at(9)).checkpoint()
    expect(rig.log).to.deep.equal(['save 9 after 5', 'lease 9', 'load', 'lease 9'])
  })

  it('writes nothing to the lease after a save that failed, and refuses all that the same call still asks for', async () => {
    const rig = new Rig(at(5), at(5))
    rig.progress.deliver(at(9))
    const checkpointer = rig.progress.checkpointer(at(9))
    const prepared = await checkpointer.prepareCheckpoint(at(8))
    rig.failing = 'before'
    expect(await refusalOf(checkpointer.checkpoint(at(6))))
      .to.be.an('error')
      .with.property('message', 'not saved')
    const later = [checkpointer.checkpoint(), checkpointer.checkpoint(at(7)), checkpointer.prepareCheckpoint(at(7))]
    expect(await Promise.all([...later, prepared.checkpoint()].map(refusalOf))).to.deep.equal(Array(4).fill('void'))
    expect(await refusalOf(rig.progress.checkpointer(at(9)).checkpoint())).to.equal('void')
    expect(rig.log).to.deep.equal(['pending 8', 'save 6 after 5'])
  })

  it('asks what is saved after a save that failed, and goes on if nothing was', async () => {
    const rig = new Rig(at(5), at(5))
    rig.progress.deliver(at(9))
    rig.failing = 'before'
    await refusalOf(rig.progress.checkpointer(at(9)).checkpoint())
    expect(await rig.confirm()).to.equal(true)
    expect(await rig.confirm()).to.equal(true)
    await rig.progress.checkpointer(at(9)).checkpoint()
    expect(rig.log).to.deep.equal(['save 9 after 5', 'load', 'save 9 after 5', 'lease 9'])
  })

  it('wants another processor if a save that failed was made all the same, and begins after it', async () => {
    const rig = new Rig(at(5), at(5))
    rig.progress.deliver(at(9))
    rig.failing = 'after'
    await refusalOf(rig.progress.checkpointer(at(9)).checkpoint())
    expect(await rig.confirm()).to.equal(false)
    await rig.progress.startOver()
    rig.progress.begin(rig.own)
    expect(rig.progress.settled).to.deep.equal(at(9))
    await rig.progress.checkpointer(rig.progress.settled).checkpoint()
    expect(rig.log).to.deep.equal(['save 9 after 5', 'load', 'lease 9'])
  })

  it('wants another processor if less is saved than it knows of', async () => {
    const rig = new Rig(at(5), at(7))
    rig.own = { position: undefined, saves: true }
    expect(await rig.confirm(true)).to.equal(false)
  })

  it('takes note of what a call that failed has saved as it likes', async () => {
    const rig = new Rig(at(5), at(5), false)
    rig.progress.deliver(at(9))
    rig.own = { position: at(7), saves: false }
    expect(await rig.confirm()).to.equal(true)
    expect(rig.progress.stored).to.deep.equal(at(5))
    expect(await rig.confirm(true)).to.equal(true)
    expect(rig.progress.stored).to.deep.equal(at(7))
    await rig.progress.checkpointer(at(9)).checkpoint()
    expect(rig.log).to.deep.equal(['load', 'lease 9'])
  })

  it('wants another processor if one that saves as it likes has saved what it was not given', async () => {
    const rig = new Rig(at(5), at(5), false)
    rig.progress.deliver(at(9))
    rig.own = { position: at(10), saves: false }
    expect(await rig.confirm(true)).to.equal(false)
  })

  it('asks nothing of an application that keeps no positions', async () => {
    const rig = new Rig(at(5), at(5))
    rig.progress.begin(undefined)
    expect(await rig.confirm(true)).to.equal(true)
    expect(rig.log).to.deep.equal([])
  })
})

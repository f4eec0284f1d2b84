import { expect } from 'chai'
import { ShardProgress } from '../../src/checkpoint/checkpointer.ts'
import { CheckpointRefusedError, LeaseLostError } from '../../src/model/errors.ts'
import { type ExtendedSequenceNumber, formatPosition, TRIM_HORIZON } from '../../src/model/sequence-number.ts'
import { checkpointWishes, endWishes, refuseWishes } from '../../src/multilang/checkpoint-wishes.ts'
import type { CheckpointWish, Wishes } from '../../src/multilang/child-seat.ts'
import { errorNameOf } from '../../src/multilang/error-name-rules.ts'
import { aPosition } from '../support/builders.ts'

/** A shard whose records 10#0 to 20#3 were delivered, and 10 is stored, or what is said. */
class Rig {
  readonly stored: string[] = []
  readonly began: ExtendedSequenceNumber
  readonly delivered: ExtendedSequenceNumber | undefined
  readonly progress: ShardProgress
  failure: Error | undefined

  constructor(
    { began = aPosition(10), delivered }: { began?: ExtendedSequenceNumber; delivered?: ExtendedSequenceNumber } = {
      delivered: aPosition(20, 3)
    }
  ) {
    this.began = began
    this.delivered = delivered
    this.progress = new ShardProgress(began, {
      save: async () => {},
      prepareCheckpoint: async () => {},
      checkpoint: async position => {
        if (this.failure !== undefined) throw this.failure
        this.stored.push(formatPosition(position))
      }
    })
    if (delivered !== undefined) this.progress.settle(delivered)
  }

  wishes(isVoid = false): Wishes {
    return checkpointWishes(this.#checkpointer(isVoid), this)
  }

  atEnd(): ReturnType<typeof endWishes> {
    return endWishes(this.#checkpointer(false), this)
  }

  #checkpointer(isVoid: boolean) {
    return this.progress.checkpointer(this.delivered ?? this.began, () => isVoid)
  }
}

function aWish(sequenceNumber: string | null, subSequenceNumber: number | null = null): CheckpointWish {
  return { sequenceNumber, subSequenceNumber }
}

/** What the child would be told. */
async function answer(wishes: Wishes, wish: CheckpointWish): Promise<string | null> {
  try {
    await wishes(wish)
    return null
  } catch (error) {
    return errorNameOf(error)
  }
}

describe('checkpointWishes', () => {
  const ROWS: readonly (readonly [what: string, wish: CheckpointWish, error: string | null, stored: string[]])[] = [
    ['everything that was delivered', aWish(null), null, ['20#3']],
    ['everything, whatever sub-sequence number is said', aWish(null, 1), null, ['20#3']],
    ['a place in an aggregate', aWish('20', 2), null, ['20#2']],
    ['its first record, for a sequence number alone', aWish('20'), null, ['20']],
    ['what is stored, without a write', aWish('10'), null, []],
    ['nothing behind that', aWish('9'), 'IllegalArgumentException', []],
    ['nothing that was not delivered', aWish('20', 4), 'IllegalArgumentException', []],
    ['nothing far ahead', aWish('21'), 'IllegalArgumentException', []],
    ['nothing with a negative sub-sequence number', aWish('20', -1), 'IllegalArgumentException', []],
    ['nothing that is no number', aWish('abc'), 'IllegalArgumentException', []],
    ['no empty text', aWish(''), 'IllegalArgumentException', []],
    ['no word', aWish('LATEST'), 'IllegalArgumentException', []],
    ['no end of the shard before it has ended', aWish('SHARD_END'), 'IllegalArgumentException', []]
  ]

  for (const [what, wish, error, stored] of ROWS) {
    it(`stores ${what}`, async () => {
      const rig = new Rig()
      expect(await answer(rig.wishes(), wish)).to.equal(error)
      expect(rig.stored).to.deep.equal(stored)
    })
  }

  it('succeeds without a write before anything was delivered', async () => {
    const rig = new Rig({ began: TRIM_HORIZON })
    expect(await answer(rig.wishes(), aWish(null))).to.equal(null)
    expect(await answer(rig.wishes(), aWish('TRIM_HORIZON'))).to.equal(null)
    expect(await answer(rig.wishes(), aWish('LATEST'))).to.equal('IllegalArgumentException')
    expect(rig.stored).to.deep.equal([])
  })

  it('says why the table does not take it', async () => {
    const rig = new Rig()
    rig.failure = new LeaseLostError('a', 'another worker has it')
    expect(await answer(rig.wishes(), aWish(null))).to.equal('ShutdownException')
  })

  it('stores everything although the call was interrupted: a child does not see that, and so means what it says', async () => {
    const rig = new Rig()
    expect(await answer(rig.wishes(true), aWish(null))).to.equal(null)
    expect(rig.stored).to.deep.equal(['20#3'])
  })
})

describe('endWishes', () => {
  const ROWS: readonly (readonly [what: string, wish: CheckpointWish, isEnd: boolean])[] = [
    ['everything', aWish(null), true],
    ['the end by its name', aWish('SHARD_END'), true],
    ['the last record', aWish('20', 3), true],
    ['the last sequence number, from a client that can say no more', aWish('20'), true],
    ['a record before the last', aWish('20', 1), false]
  ]

  for (const [what, wish, isEnd] of ROWS) {
    it(`take ${what} for ${isEnd ? '' : 'less than '}the end`, async () => {
      const rig = new Rig()
      const wishes = rig.atEnd()
      expect(await answer(wishes.carryOut, wish)).to.equal(null)
      expect(wishes.isEndStored()).to.equal(isEnd)
    })
  }

  it('know of no end that was not asked for, or could not be stored', async () => {
    const rig = new Rig()
    const wishes = rig.atEnd()
    expect(wishes.isEndStored()).to.equal(false)
    expect(await answer(wishes.carryOut, aWish('abc'))).to.equal('IllegalArgumentException')
    rig.failure = new LeaseLostError('a', 'another worker has it')
    expect(await answer(wishes.carryOut, aWish(null))).to.equal('ShutdownException')
    expect(wishes.isEndStored()).to.equal(false)
  })

  it('take where the shard began for its end, if nothing came after', async () => {
    const rig = new Rig({})
    const wishes = rig.atEnd()
    expect(await answer(wishes.carryOut, aWish('10'))).to.equal(null)
    expect(wishes.isEndStored()).to.equal(true)
  })
})

describe('refuseWishes', () => {
  it('refuses everything, as where KCL has no checkpointer', async () => {
    const refused = await refuseWishes().catch(error => error)
    expect(refused).to.be.instanceOf(CheckpointRefusedError)
    expect(errorNameOf(refused)).to.equal('InvalidStateException')
  })
})

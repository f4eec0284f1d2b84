import { expect } from 'chai'
import { ShardProgress } from '../../src/checkpoint/checkpointer.ts'
import { confirmOwnCheckpoint, loadOwnCheckpoint, saveOwnCheckpoint } from '../../src/consumer/own-checkpoints.ts'
import { CheckpointRefusedError, LeaseLostError, ProcessorGoneError } from '../../src/model/errors.ts'
import type { ExtendedSequenceNumber } from '../../src/model/sequence-number.ts'
import {
  asProcessor,
  type LoadCheckpointInput,
  RecordProcessor,
  type SaveCheckpointInput
} from '../../src/processor/record-processor.ts'
import { aLease, aPosition, NAMES } from '../support/builders.ts'

const { signal } = new AbortController()

/** A tenure that holds its lease, or finds out that it does not. */
function aTenure({ isLost = false } = {}) {
  const lease = aLease({ counter: 7, checkpoint: aPosition(5) })
  const renew = async (): Promise<void> => {
    if (isLost) throw new LeaseLostError(lease.leaseKey, 'somebody else has it')
  }
  const place = { shardId: lease.shardId, ...NAMES }
  return { place, tenure: { lease, fencingToken: lease.counter, renew } }
}

class Keeping extends RecordProcessor {
  readonly told: unknown[] = []
  answer: unknown
  error: unknown

  processRecords(): void {}

  override async loadCheckpoint(input: LoadCheckpointInput): Promise<ExtendedSequenceNumber | undefined> {
    this.told.push(input)
    if (this.error !== undefined) throw this.error
    return this.answer as ExtendedSequenceNumber | undefined
  }

  override async saveCheckpoint(input: SaveCheckpointInput): Promise<void> {
    this.told.push(input)
    if (this.error !== undefined) throw this.error
  }

  override leaseLost(): void {
    this.told.push('leaseLost')
  }
}

const errorOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    value => value,
    (error: unknown) => error
  )

describe('loadOwnCheckpoint', () => {
  it('asks with the token of the tenure and the checkpoint of its lease', async () => {
    const processor = new Keeping()
    processor.answer = { ...aPosition(9, 3), somethingElse: true }
    const { place } = aTenure()
    const own = await loadOwnCheckpoint(processor, aTenure(), signal)
    expect(own).to.deep.equal({ position: aPosition(9, 3), saves: true })
    expect(processor.told).to.deep.equal([{ ...place, fencingToken: 7, checkpoint: aPosition(5), signal }])
  })

  it('finds nothing, where nothing is saved', async () => {
    const own = await loadOwnCheckpoint(new Keeping(), aTenure(), signal)
    expect(own).to.deep.equal({ position: undefined, saves: true })
  })

  it('asks nothing of a processor that keeps no positions', async () => {
    class Plain extends RecordProcessor {
      processRecords(): void {}
    }
    expect(await loadOwnCheckpoint(new Plain(), aTenure(), signal)).to.equal(undefined)
  })

  for (const [answer, shown] of [
    [null, 'returned null,'],
    ['123', '"123"'],
    [{}, '{ sequenceNumber: undefined, subSequenceNumber: undefined }'],
    [aPosition(12).sequenceNumber.length, 'number 2'],
    [{ sequenceNumber: 4.9e55, subSequenceNumber: 0 }, 'sequenceNumber: number 4.9e+55'],
    [{ sequenceNumber: '12', subSequenceNumber: 0n }, 'subSequenceNumber: bigint 0'],
    [{ sequenceNumber: '12', subSequenceNumber: -1 }, 'subSequenceNumber: number -1'],
    [aPosition('012'), '"012"'],
    [aPosition('SHARD_END'), '"SHARD_END"'],
    [aPosition('TRIM_HORIZON'), '"TRIM_HORIZON"'],
    [aPosition('garbage'), '"garbage"']
  ] as const) {
    it(`refuses what is no position of a record: ${shown}`, async () => {
      const processor = new Keeping()
      processor.answer = answer
      const error = await errorOf(loadOwnCheckpoint(processor, aTenure(), signal))
      expect(error).to.be.instanceOf(CheckpointRefusedError).and.include({ because: 'malformed' })
      const { message } = error as Error
      expect(message).to.include(`loadCheckpoint of ${aTenure().place.shardId} returned`).and.to.include(shown)
      expect(message).to.include('expected undefined or the position of a record')
    })
  }
})

describe('saveOwnCheckpoint', () => {
  const positions = { position: aPosition(9), previous: aPosition(5) }

  it('gives the positions and the token', async () => {
    const processor = new Keeping()
    await saveOwnCheckpoint(processor, aTenure(), positions, signal)
    const { place } = aTenure()
    expect(processor.told).to.deep.equal([{ ...place, fencingToken: 7, ...positions, signal }])
  })

  it('rejects with what the processor throws', async () => {
    const processor = new Keeping()
    processor.error = new Error('deadlock')
    expect(await errorOf(saveOwnCheckpoint(processor, aTenure(), positions, signal))).to.equal(processor.error)
  })
})

describe('a processor that says that the lease is lost', () => {
  for (const [name, call] of [
    ['loading', (processor: Keeping, isLost: boolean) => loadOwnCheckpoint(processor, aTenure({ isLost }), signal)],
    [
      'saving',
      (processor: Keeping, isLost: boolean) =>
        saveOwnCheckpoint(processor, aTenure({ isLost }), { position: aPosition(9), previous: undefined }, signal)
    ]
  ] as const) {
    it(`is believed when ${name}, if the lease table says so, too`, async () => {
      const processor = new Keeping()
      processor.error = new LeaseLostError('shard', 'a later owner has begun')
      const error = await errorOf(call(processor, true))
      expect(error).to.be.instanceOf(LeaseLostError).and.not.equal(processor.error)
    })

    it(`is told when ${name} that its store is in the wrong, if it is not`, async () => {
      const processor = new Keeping()
      processor.error = new LeaseLostError('shard', 'a later owner has begun')
      const error = await errorOf(call(processor, false))
      expect(error).to.be.instanceOf(CheckpointRefusedError).and.include({ because: 'fenced' })
      expect((error as Error).message)
        .to.include('fencing token 7')
        .and.to.include('row of the lease deleted')
    })
  }
})

describe('confirmOwnCheckpoint', () => {
  const writes = { save: async () => {}, checkpoint: async () => {}, prepareCheckpoint: async () => {} }

  it('lets a processor be called that knows what is saved', async () => {
    const processor = new Keeping()
    const progress = new ShardProgress(aPosition(5), writes)
    progress.begin(await loadOwnCheckpoint(processor, aTenure(), signal))
    await confirmOwnCheckpoint(progress, true, processor, aTenure(), signal)
    expect(processor.told).to.have.length(2)
  })

  for (const [name, thrown] of [
    ['is told that it is called no more', undefined],
    ['is gone even if it does not want to hear of it', new Error('not now')]
  ] as const) {
    it(`ends with one that does not, which ${name}`, async () => {
      const processor = new Keeping()
      const progress = new ShardProgress(aPosition(5), writes)
      progress.begin(await loadOwnCheckpoint(processor, aTenure(), signal))
      processor.answer = aPosition(9)
      if (thrown !== undefined) {
        processor.leaseLost = () => {
          throw thrown
        }
      }
      const error = await errorOf(confirmOwnCheckpoint(progress, true, processor, aTenure(), signal))
      expect(error).to.be.instanceOf(ProcessorGoneError)
      expect((error as Error).cause).to.equal(thrown)
      if (thrown === undefined) expect(processor.told.at(-1)).to.equal('leaseLost')
    })
  }
})

describe('asProcessor', () => {
  it('refuses a processor that saves positions and does not load them', () => {
    class Saving extends RecordProcessor {
      processRecords(): void {}
      override async saveCheckpoint(): Promise<void> {}
    }
    expect(() => asProcessor(new Saving())).to.throw(/saveCheckpoint and without loadCheckpoint/)
  })
})

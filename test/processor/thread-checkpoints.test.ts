import { expect } from 'chai'
import { LeaseLostError } from '../../src/model/errors.ts'
import { ThreadCheckpoints } from '../../src/processor/thread-checkpoints.ts'
import { receivedError } from '../../src/processor/thread-errors.ts'
import { aPosition } from '../support/builders.ts'
import { Asked } from './thread-world.ts'

describe('ThreadCheckpoints', () => {
  it('asks the checkpointer of the call, also one that is over', async () => {
    const checkpoints = new ThreadCheckpoints()
    const [first, second] = [new Asked(), new Asked()]
    checkpoints.add(1, first)
    checkpoints.add(2, second)
    expect(await checkpoints.answer(1, 1, { kind: 'checkpoint' })).to.deep.equal({ kind: 'granted' })
    await checkpoints.answer(2, 2, { kind: 'checkpoint', at: aPosition(7) })
    expect([first.checkpoints, second.checkpoints]).to.deep.equal([[undefined], [aPosition(7)]])
  })

  it('makes what was prepared', async () => {
    const checkpoints = new ThreadCheckpoints()
    const asked = new Asked()
    checkpoints.add(1, asked)
    const answer = await checkpoints.answer(5, 1, { kind: 'prepare', at: aPosition(7), state: Buffer.from('s') })
    expect(answer).to.deep.equal({ kind: 'granted', position: aPosition(7) })
    await checkpoints.answer(6, 1, { kind: 'make', prepared: 5 })
    expect(asked.made).to.deep.equal(['s'])
  })

  it('passes refusals on', async () => {
    const checkpoints = new ThreadCheckpoints()
    checkpoints.add(1, new Asked(new LeaseLostError('shard', 'it ended')))
    const answer = await checkpoints.answer(1, 1, { kind: 'checkpoint' })
    expect(answer.kind === 'refused' && receivedError(answer.error)).to.be.instanceOf(LeaseLostError)
  })

  it('refuses what is asked for by a call of long ago', async () => {
    const checkpoints = new ThreadCheckpoints()
    for (let call = 1; call <= 257; call++) checkpoints.add(call, new Asked())
    const kinds = await Promise.all([1, 2, 257].map(call => checkpoints.answer(1, call, { kind: 'checkpoint' })))
    expect(kinds.map(({ kind }) => kind)).to.deep.equal(['refused', 'granted', 'granted'])
    const [refused] = kinds
    expect(refused?.kind === 'refused' && receivedError(refused.error)).to.include({
      code: 'CHECKPOINT_REFUSED',
      because: 'void'
    })
  })
})

import { expect } from 'chai'
import { mayFollow, type WorkerState } from '../../src/worker/worker-state.ts'

const STATES: readonly WorkerState[] = ['idle', 'starting', 'running', 'stopping', 'stopped']

describe('mayFollow', () => {
  const allowed = [
    'idle starting',
    'idle stopped',
    'starting running',
    'starting stopping',
    'running stopping',
    'stopping stopped'
  ]

  for (const from of STATES) {
    for (const to of STATES) {
      const may = allowed.includes(`${from} ${to}`)
      it(`${may ? 'lets' : 'does not let'} ${to} follow ${from}`, () => {
        expect(mayFollow(from, to)).to.equal(may)
      })
    }
  }
})

import { expect } from 'chai'
import { judgeProgress, type ProgressFacts } from '../../src/consumer/progress-rules.ts'

const WELL: ProgressFacts = {
  readingForMs: undefined,
  lacksRoom: false,
  calledForMs: undefined,
  isStoringLetters: false,
  storingForMs: 0
}

describe('judgeProgress', () => {
  for (const [what, facts, expected] of [
    ['nothing is waited for', {}, undefined],
    ['an answer has not come for a little less than may be', { readingForMs: 59_999 }, undefined],
    ['an answer has not come', { readingForMs: 60_000 }, 'answer restart'],
    ['an answer has not come for as long again', { readingForMs: 120_000 }, 'answer release'],
    ['there is no room for an answer', { readingForMs: 120_000, lacksRoom: true }, 'memory report'],
    ['a call takes long', { calledForMs: 60_000 }, 'processor report'],
    ['a call takes very long', { calledForMs: 900_000 }, 'processor report'],
    ['a call has the room', { calledForMs: 60_000, readingForMs: 60_000, lacksRoom: true }, 'processor report'],
    ['letters are being stored', { isStoringLetters: true, storingForMs: 60_000 }, 'dead-letters report'],
    ['letters are stored soon', { isStoringLetters: true, storingForMs: 1 }, undefined],
    ['reading is worse than calls', { readingForMs: 60_000, calledForMs: 90_000 }, 'answer restart']
  ] as const) {
    it(`says ${expected ?? 'nothing'} when ${what}`, () => {
      const stall = judgeProgress({ ...WELL, ...facts }, 60_000)
      expect(stall && `${stall.waitingFor} ${stall.action}`).to.equal(expected)
    })
  }
})

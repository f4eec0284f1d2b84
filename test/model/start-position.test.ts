import { expect } from 'chai'
import { AT_TIMESTAMP, LATEST, TRIM_HORIZON } from '../../src/model/sequence-number.ts'
import { initialCheckpoint, type StartPosition, startTimestampMs } from '../../src/model/start-position.ts'

const NOW_MS = 7

describe('a start position', () => {
  const table: readonly (readonly [string, StartPosition, object, number | undefined])[] = [
    ['the horizon, without a time', 'TRIM_HORIZON', TRIM_HORIZON, undefined],
    ['the tip, pinned to now', 'LATEST', LATEST, NOW_MS],
    ['a time, pinned to itself', new Date(5_000), AT_TIMESTAMP, 5_000]
  ]
  for (const [what, startAt, checkpoint, pinned] of table) {
    it(`becomes the checkpoint of a new lease: ${what}`, () => {
      expect(initialCheckpoint(startAt)).to.deep.equal(checkpoint)
      expect(startTimestampMs(startAt, NOW_MS)).to.equal(pinned)
    })
  }
})

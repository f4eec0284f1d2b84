import { expect } from 'chai'
import {
  type ActionKind,
  dialogText,
  obstacleOf,
  positionConsequence,
  positionOf
} from '../../src/dashboard/dialog-rules.ts'
import { idOf } from '../support/dashboard-fleet.ts'
import { aShardRow } from '../support/dashboard-rows.ts'

describe('dialogText', () => {
  for (const kind of ['reset', 'release', 'pause', 'resume'] as const satisfies readonly ActionKind[]) {
    it(`says to how many shards a ${kind} is done`, () => {
      expect(dialogText(kind, [], 64).title).to.match(/all 64 shards$/)
      expect(dialogText(kind, [], 64).consequence).to.include('all 64 shards')
      expect(dialogText(kind, [idOf(1), idOf(2)], 64).button).to.match(/2 shards$/)
      expect(dialogText(kind, [idOf(1), idOf(2)], 64).consequence).to.include('shards 1 and 2')
      expect(dialogText(kind, [], 64).isDangerous).to.equal(kind === 'reset')
    })
  }
})

describe('obstacleOf', () => {
  it('lets one shard be moved, and nothing be released that is finished', () => {
    expect(obstacleOf('move', [])).to.be.a('string')
    expect(obstacleOf('move', [aShardRow(1)])).to.equal(undefined)
    expect(obstacleOf('release', [aShardRow(1, { state: 'finished' })])).to.be.a('string')
    expect(obstacleOf('reset', [aShardRow(1, { state: 'finished' })])).to.equal(undefined)
  })
})

describe('positionOf', () => {
  const wish = { kind: 'sequence', time: '', sequence: ' 4964:7 ' } as const

  it('is what the server takes', () => {
    expect(positionOf(wish, 1)).to.deep.equal({ position: { sequenceNumber: '4964', subSequenceNumber: 7 } })
    expect(positionOf({ ...wish, kind: 'LATEST' }, 9)).to.deep.equal({ position: 'LATEST' })
    const at = new Date(2026, 0, 31, 8).toISOString()
    expect(positionOf({ ...wish, kind: 'time', time: '2026-01-31T08:00:00' }, 9)).to.deep.equal({ position: { at } })
  })

  it('says what is wrong', () => {
    expect(positionOf(wish, 2)).to.have.property('problem')
    expect(positionOf({ ...wish, sequence: 'x' }, 1)).to.have.property('problem')
    expect(positionOf({ ...wish, kind: 'time' }, 1)).to.have.property('problem')
  })

  it('says what becomes of records', () => {
    expect(positionConsequence({ ...wish, kind: 'LATEST' }, 3)).to.include('3 of these shards are behind')
    const kinds = ['LATEST', 'TRIM_HORIZON', 'time', 'sequence'] as const
    expect(new Set(kinds.map(kind => positionConsequence({ ...wish, kind }, 0))).size).to.equal(4)
  })
})

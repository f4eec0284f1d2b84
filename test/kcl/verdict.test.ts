// What is made of the ledgers of both kinds: each thing that may not be is found in a run that has it, and in no other.
import { expect } from 'chai'
import type { Kind, Note, Position } from './ledgers.ts'
import { comparePositions, type Hit, judge } from './verdict.ts'

const NO_PARENTS = new Map<string, readonly string[]>()

function note(worker: string, atMs: number, rest: Partial<Note>): Note {
  const nothing = { event: undefined, why: undefined, position: undefined, given: undefined, stored: undefined }
  const kind: Kind = worker.startsWith('java') ? 'java' : 'ours'
  return { atMs, worker, kind, shardId: 'shard-0', ...nothing, ...rest }
}

function began(worker: string, atMs: number, position: Position = ['TRIM_HORIZON', 0], shardId = 'shard-0'): Note {
  return note(worker, atMs, { event: 'began', position, shardId })
}

/** The record with the number n is at the sequence number n + 1. */
function given(worker: string, atMs: number, ids: readonly number[], shardId = 'shard-0'): Note {
  return note(worker, atMs, {
    shardId,
    given: ids.map(id => ({ key: 'key', id, position: [String(id + 1), 0] }))
  })
}

function killed(worker: string, atMs: number): Hit {
  return { atMs, worker, kind: worker.startsWith('java') ? 'java' : 'ours', signal: 'SIGKILL' }
}

describe('judge', () => {
  it('finds nothing in a run in which a shard goes from a killed Java worker to one of ours, but what came twice', () => {
    const notes = [
      began('java-1', 0),
      given('java-1', 10, [0, 1]),
      note('java-1', 20, { stored: ['1', 0] }),
      began('ours-1', 1_000, ['1', 0]),
      given('ours-1', 1_010, [1, 2])
    ]
    const { duplicates, takeOvers, ...faults } = judge(notes, [killed('java-1', 30)], NO_PARENTS, 3)
    expect(Object.values(faults).flat()).to.deep.equal([])
    expect(duplicates.map(({ id, because, from, to }) => ({ id, because, from, to }))).to.deep.equal([
      { id: 1, because: 'killed', from: 'java', to: 'ours' }
    ])
    expect(takeOvers.map(({ to, afterSignalMs, withoutRecordsMs }) => ({ to, afterSignalMs, withoutRecordsMs })))
      .to //
      .deep.equal([{ to: 'ours', afterSignalMs: 980, withoutRecordsMs: 1_000 }])
  })

  it('finds records that nobody was given', () => {
    expect(judge([began('java-1', 0), given('java-1', 1, [0, 2])], [], NO_PARENTS, 4).missing).to.deep.equal([1, 3])
  })

  it('finds records that came after a later one, by shard and by key', () => {
    const verdict = judge([began('java-1', 0), given('java-1', 1, [1, 0])], [], NO_PARENTS, 2)
    expect(verdict.outOfOrderInShard).to.deep.equal(['0 after 1 of shard-0, by java-1'])
    expect(verdict.outOfOrderByKey).to.deep.equal(['0 after 1 of key, by java-1'])
  })

  it('finds a worker that skipped a record which another one was given', () => {
    const notes = [
      began('java-1', 0),
      given('java-1', 1, [0, 1]),
      began('ours-1', 2, ['1', 0]),
      given('ours-1', 3, [2])
    ]
    expect(judge(notes, [], NO_PARENTS, 3).skipped).to.deep.equal(['1 of shard-0, by ours-1, which began after 1/0'])
  })

  it('finds a worker that began before a stored checkpoint, also inside an aggregate', () => {
    const notes = [
      began('java-1', 0),
      note('java-1', 1, { stored: ['7', 3] }),
      began('ours-1', 2, ['7', 2]),
      began('ours-2', 3, ['7', 3])
    ]
    expect(judge(notes, [], NO_PARENTS, 0).beganTooEarly).to.deep.equal([
      'ours-1 began shard-0 after 7/2, and 7/3 was stored'
    ])
  })

  it('finds a child that was read before its parent had come to its end', () => {
    const lineage = new Map([['shard-1', ['shard-0']]])
    const notes = [
      began('java-1', 0),
      began('ours-1', 0, undefined, 'shard-1'),
      given('java-1', 1, [0]),
      given('ours-1', 2, [2], 'shard-1'),
      given('java-1', 3, [1])
    ]
    expect(judge(notes, [], lineage, 3).childBeforeParent).to.deep.equal([
      '2 of shard-1, by ours-1, before the last of shard-0'
    ])
  })

  it('leaves out of the takeovers what the worker had lost, given back or finished before it was killed', () => {
    for (const event of ['lost', 'lease:released', 'ended']) {
      const notes = [
        began('ours-1', 0),
        given('ours-1', 1, [0]),
        note('ours-1', 2, { event }),
        began('ours-2', 3, ['1', 0]),
        given('ours-2', 50, [1])
      ]
      expect(judge(notes, [killed('ours-1', 10)], NO_PARENTS, 2).takeOvers, event).to.deep.equal([])
    }
  })
})

describe('comparePositions', () => {
  it('puts the beginnings before every number and the end after them, and numbers by size, not by text', () => {
    const sorted: Position[] = [
      ['TRIM_HORIZON', 0],
      ['9', 0],
      ['9', 1],
      ['10', 0],
      ['SHARD_END', 0]
    ]
    expect([...sorted].reverse().sort(comparePositions)).to.deep.equal(sorted)
  })
})

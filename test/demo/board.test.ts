// What the demo knows while it runs, from what it put and what its worker processes say.
import { expect } from 'chai'
import { shardId } from '../support/builders.ts'
import { aBoard, BoardTeller } from '../support/demo-board.ts'

describe('Board', () => {
  const shardOf = ({ board }: BoardTeller, number: number) => board.shards.get(shardId(number))
  const lastText = ({ board }: BoardTeller) => board.happenings.at(-1)?.text

  it('counts a line that was processed twice once, and says of both workers that they worked', () => {
    const teller = new BoardTeller(10)
    teller.put(0, 3)
    teller.processesLines('ada', 0, [1, 2])
    teller.processesLines('bob', 0, [2, 3])
    expect(teller.board).to.include({ put: 3, processed: 3 })
    expect(shardOf(teller, 0)).to.include({ put: 3, processed: 3 })
    expect(teller.board.counts.total.requests).to.equal(3)
    expect([...teller.board.workers.values()].map(({ processed }) => processed)).to.deep.equal([2, 2])
  })

  it('follows a shard from the first lease through a hand-over to its end', () => {
    const teller = new BoardTeller(10)
    const steps = [
      ['ada', 'lease:taken', 'starting', 'ada'],
      ['ada', 'shard:started', 'reading', 'ada'],
      ['ada', 'lease:revoked', 'handing over', 'ada'],
      ['ada', 'lease:released', 'free', undefined],
      ['bob', 'lease:taken', 'starting', 'bob'],
      ['bob', 'shard:started', 'reading', 'bob'],
      ['bob', 'shard:ended', 'ended', undefined],
      ['bob', 'lease:released', 'ended', undefined]
    ] as const
    for (const [workerId, name, state, owner] of steps) {
      teller.event(workerId, name, 0, { why: 'unowned' })
      expect(shardOf(teller, 0), name).to.include({ state, owner })
    }
  })

  it('ignores what the previous owner says after the next one has taken the shard', () => {
    const teller = new BoardTeller(10)
    teller.takes('ada', 0)
    teller.takes('bob', 0, { why: 'unowned' })
    teller.event('ada', 'lease:released', 0)
    teller.event('ada', 'lease:lost', 0, { why: 'late' })
    expect(shardOf(teller, 0)).to.include({ owner: 'bob', state: 'reading' })
    expect(lastText(teller)).to.equal('takes shard 0 (unowned)')
  })

  it('counts neither an orphan nor a free shard among those that a worker holds', () => {
    const { board } = aBoard()
    const held = ['ada', 'bob', 'cleo'].map(workerId => board.heldBy(workerId).map(shard => shard.shardId))
    expect(held).to.deep.equal([[], [shardId(2)], [shardId(1)]])
  })

  it('measures a takeover from the kill to the next lease, whoever else the shard goes to later', () => {
    const teller = aBoard()
    teller.takes('bob', 1, { why: 'unowned', atNs: teller.afterKill(9_000) })
    expect(teller.board.takeovers.map(({ shardId: id, from, by, waitedMs }) => [id, from, by, waitedMs])).to.deep.equal(
      [
        [shardId(0), 'ada', undefined, undefined],
        [shardId(1), 'ada', 'cleo', 3_300]
      ]
    )
    expect(lastText(teller)).to.equal('takes shard 1 (unowned)')
  })

  it('keeps what happened in one line, as long as the message of an error may be', () => {
    const teller = new BoardTeller(10)
    teller.board.noteMessage('ada', { kind: 'problem', text: 'No answer.\n    at somewhere\n' })
    expect(teller.board.happenings.at(-1)).to.include({
      tone: 'alarm',
      workerId: 'ada',
      text: 'No answer. at somewhere'
    })
  })
})

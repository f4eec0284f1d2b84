import { expect } from 'chai'
import { Journal } from '../../src/testing/journal.ts'

describe('Journal', () => {
  it('has a line for each event, with its time, and hands it on', () => {
    const lines: string[] = []
    const journal = new Journal({ write: line => lines.push(line) })
    journal.note(0, 'world', 'begins')
    journal.note(12_345.678, 'w1', 'claims', 'shard-1')
    expect(lines).to.deep.equal(['    0.000 world begins', '   12.346 w1 claims shard-1'])
    expect(journal.lines).to.equal(2)
  })

  it('has the same hash for the same events, and another one for others', () => {
    const hashOf = (...whats: string[]): string => {
      const journal = new Journal()
      for (const what of whats) journal.note(1, 'w1', what)
      return journal.hash()
    }
    expect(hashOf('a', 'b')).to.equal(hashOf('a', 'b'))
    expect(hashOf('a', 'b')).to.not.equal(hashOf('b', 'a'))
    // The line as UTF-8 through SHA-256, and nothing else: the same on whatever machine.
    expect(hashOf('starts')).to.equal('e588548d05a57be6496be22b3f8ba0a93a36f1d4b814e2a8aa2988a6cf2b7b7f')
  })

  it('can be asked for its hash at any time', () => {
    const [asked, unasked] = [new Journal(), new Journal()]
    for (let index = 0; index < 2_000; index++) {
      for (const journal of [asked, unasked]) journal.note(index, 'w1', 'does something')
      if (index % 100 === 0) asked.hash()
    }
    expect(asked.hash()).to.equal(unasked.hash())
  })

  it('keeps the newest lines about each thing, among those about everything', () => {
    const journal = new Journal({ linesOfEach: 3 })
    for (let index = 0; index < 50; index++) journal.note(index, 'w1', `reads ${index}`, 'shard-1')
    journal.note(50, 'w1', 'crashes')
    journal.note(51, 'w2', 'claims', 'shard-1')
    journal.note(52, 'w2', 'claims', 'shard-2')
    expect(journal.around('shard-1').map(line => line.slice(10))).to.deep.equal([
      'w1 reads 49 shard-1',
      'w1 crashes',
      'w2 claims shard-1'
    ])
    expect(journal.around('shard-3')).to.have.length(1)
  })
})

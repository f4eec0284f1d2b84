import { expect } from 'chai'
import { decodePayloads } from '../../src/wire/payloads.ts'
import { RecordTable } from '../../src/wire/record-table.ts'

function finish<T>(work: Generator<void, T, void>): T {
  for (;;) {
    const step = work.next()
    if (step.done === true) return step.value
  }
}

describe('decodePayloads', () => {
  const body = Buffer.from('"YWJj" "ZGU=" "no base64!"')

  it('puts payloads one after the other into a memory of their own, and says where they are', () => {
    const table = new RecordTable()
    for (const [at, length] of [
      [1, 4],
      [8, 4]
    ] as const) {
      table.begin()
      table.dataIsAt(at, length)
    }
    expect(finish(decodePayloads(table, body))?.toString()).to.equal('abcde')
    expect([0, 1].map(index => [table.dataAt(index), table.dataLength(index)])).to.deep.equal([
      [0, 3],
      [3, 2]
    ])
  })

  it('refuses what is not base64', () => {
    const table = new RecordTable()
    table.begin()
    table.dataIsAt(15, 10)
    expect(finish(decodePayloads(table, body))).to.equal(undefined)
  })
})

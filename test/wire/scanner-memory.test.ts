import { expect } from 'chai'
import * as memory from '../../src/wire/scanner-memory.ts'

describe('the memory of the scanner', () => {
  it('has its parts one behind the other, each where its numbers may be', () => {
    const { TOLD_AT, ROWS_AT, ARRIVALS_AT, ENCRYPTIONS_AT, WINDOW_AT, MADE_AT, WINDOW_BYTES, MARGIN_BYTES, PAGES } =
      memory
    const places = [TOLD_AT, ROWS_AT, ARRIVALS_AT, ENCRYPTIONS_AT, WINDOW_AT, MADE_AT, PAGES * 65_536]
    expect(places).to.deep.equal(places.toSorted((a, b) => a - b))
    expect([ROWS_AT % 4, ARRIVALS_AT % 8]).to.deep.equal([0, 0])
    expect(MADE_AT + WINDOW_BYTES + MARGIN_BYTES).to.be.at.most(PAGES * 65_536)
  })
})

import { expect } from 'chai'
import { chartOf } from '../../src/dashboard/chart-rules.ts'

const SIZE = { width: 100, height: 50 }
const at = (atMs: number, maxMs: number | null = 0) => ({ atMs, maxMs, medianMs: maxMs })

describe('chartOf', () => {
  it('has the newest point at its right end, and zero at the bottom', () => {
    const { points, yMarks, xMarks } = chartOf([at(0, 0), at(600_000, 4_000)], SIZE)
    expect(points.map(({ x, y }) => [x, y])).to.deep.equal([
      [0, 50],
      [100, 0]
    ])
    expect(yMarks.map(({ text }) => text)).to.deep.equal(['0', '1 s', '2 s', '3 s', '4 s'])
    expect(xMarks[0]).to.deep.equal({ at: 100, text: 'now' })
    expect(xMarks.map(({ text }) => text)).to.include('−10 m')
  })

  it('has scales for a day and for nothing at all', () => {
    expect(chartOf([at(0, 86_400_000)], SIZE).yMarks.at(-1)).to.deep.equal({ at: 0, text: '1 d' })
    expect(chartOf([at(0, 0)], SIZE).yMarks.map(({ text }) => text)).to.deep.equal([
      '0',
      '250 ms',
      '500 ms',
      '750 ms',
      '1 s'
    ])
    expect(chartOf([], SIZE).points).to.deep.equal([])
  })

  it('breaks the line where nobody measured', () => {
    const { maxLine, points } = chartOf([at(0, 1), at(1_000, null), at(2_000, 1), at(3_000, 1)], SIZE)
    expect(maxLine.match(/M/g)).to.have.length(2)
    expect(points).to.have.length(3)
    expect(maxLine).to.not.include('NaN')
  })
})

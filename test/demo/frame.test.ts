// What a person sees while the demo runs: the frames of a terminal, and the lines where there is room for no frame.
import { stripVTControlCharacters } from 'node:util'
import { expect } from 'chai'
import { renderFrame, SMALLEST_FRAME } from '../../examples/demo/frame.ts'
import { happeningText, progressText } from '../../examples/demo/lines.ts'
import { aBoard, BoardTeller, PLAN } from '../support/demo-board.ts'

const linesOf = (text: string): string[] => stripVTControlCharacters(text).split('\n')
const tooLong = (lines: readonly string[], columns: number): string[] => lines.filter(line => line.length > columns)

for (const columns of [SMALLEST_FRAME.columns, 100, 120, 200]) {
  describe(`renderFrame in ${columns} columns`, () => {
    const rows = 40
    const frameOf = ({ board }: BoardTeller, height = rows): string[] =>
      linesOf(renderFrame(board, PLAN, { columns, rows: height }))

    /** The line of a shard, which begins with its number. */
    const shardLine = (frame: readonly string[], number: number): string =>
      frame.find(line => new RegExp(`^ ${number} .*/`).test(line)) ?? ''

    const barOf = (line: string) => ({
      done: [...line].filter(letter => letter === '█').length,
      known: [...line].filter(letter => letter === '█' || letter === '░').length
    })

    it('has no line that is longer than the terminal is wide', () => {
      const teller = aBoard()
      teller.board.noteOperator(`something that takes ${'very '.repeat(50)}long to tell`)
      teller.board.noteMessage('bob', { kind: 'problem', text: `x${'y'.repeat(300)}` })
      const plan = { ...PLAN, title: 'A long title, '.repeat(20) }
      const frame = linesOf(renderFrame(teller.board, plan, { columns, rows }))
      expect(tooLong(frame, Math.min(columns, 120) - 1)).to.deep.equal([])
    })

    it('names each shard with its parents, its owner, its progress, its lag and its state', () => {
      const frame = frameOf(aBoard())
      expect(shardLine(frame, 0)).to.match(/^ 0 +† .* 250\/1,000 +750 {2}alone \d+\.\d s *$/)
      expect(shardLine(frame, 1)).to.match(/^ 1 +cleo .* 500\/500 +- {2}reading *$/)
      expect(shardLine(frame, 2)).to.match(/^ 2 +bob .* 1,500\/2,000 +500 {2}reads the rest *$/)
      expect(shardLine(frame, 3)).to.match(/^ 3 ← 2 +- .* 0\/40 +40 {2}waits for 2 *$/)
    })

    it('draws for each shard a bar of what was processed, and of what is still to come', () => {
      const frame = frameOf(aBoard())
      const whole = barOf(shardLine(frame, 2)).known // the shard that got the most fills its column
      expect(whole).to.be.at.least(20)
      for (const [number, processed, put] of [
        [0, 250, 1_000],
        [1, 500, 500],
        [2, 1_500, 2_000],
        [3, 0, 40]
      ] as const) {
        const { done, known } = barOf(shardLine(frame, number))
        expect(done, `done of shard ${number}`).to.be.closeTo((whole * processed) / 2_000, 0.5)
        expect(known, `put into shard ${number}`).to.be.closeTo((whole * put) / 2_000, 0.5)
      }
    })

    it('sums up what was put, what was processed, and the lag', () => {
      const [, totals = ''] = frameOf(aBoard())
      expect(totals).to.match(/put +3,540 +processed +2,250 +lag +1,290 +\d+\.\d s$/)
      const { done, known } = barOf(totals)
      expect(done / known).to.be.closeTo(2_250 / 3_540, 0.1)
    })

    it('tells what each worker holds, and which one was killed', () => {
      const frame = frameOf(aBoard())
      expect(frame.filter(line => /^ [●†] /.test(line)).map(line => line.trim().replaceAll(/ +/g, ' '))).to.deep.equal([
        '† ada killed 750 processed',
        '● bob running 1,500 processed holds 2',
        '● cleo running 0 processed holds 1'
      ])
    })

    it('tells what happened last, the kill and the takeover among it', () => {
      for (const height of [SMALLEST_FRAME.rows, rows]) {
        const happenings = frameOf(aBoard(), height).filter(line => /^ +\d+\.\d s {2}/.test(line))
        expect(happenings.map(line => line.slice(10).trim()).slice(-4)).to.deep.equal([
          'bob takes shard 2 (unowned)',
          'shard 2 is split into 3 and 4',
          'ada is killed (SIGKILL) while it holds shards 0, 1',
          'cleo takes shard 1 of ada, 3.3 s after the kill'
        ])
      }
    })

    it('shows the most requested paths if there is room', () => {
      expect(frameOf(aBoard()).some(line => /^ \/path +2,250 +2\.3 +0 *$/.test(line))).to.equal(true)
      expect(frameOf(aBoard(), SMALLEST_FRAME.rows).some(line => line.includes('/path'))).to.equal(false)
    })

    it('is as high at the end as at the beginning, and no higher than the terminal', () => {
      for (const height of [SMALLEST_FRAME.rows, rows, 60]) {
        const [empty, filled] = [new BoardTeller(10_000), aBoard()].map(teller => frameOf(teller, height).length)
        expect(empty).to.equal(filled)
        expect(filled).to.be.at.most(height - 1)
      }
    })
  })
}

describe('renderFrame in a terminal that was made narrow', () => {
  for (const columns of [79, 40, 10, 2]) {
    it(`draws one line in ${columns} columns`, () => {
      const frame = linesOf(renderFrame(aBoard().board, PLAN, { columns, rows: 24 }))
      expect(frame).to.have.length(1)
      expect(tooLong(frame, columns)).to.deep.equal([])
      if (columns === 79) expect(frame[0]).to.include('2,250 of 10,000 processed').and.to.include('needs 80 columns')
    })
  }
})

for (const columns of [30, 60, 80]) {
  describe(`lines in ${columns} columns`, () => {
    const times = /^ +\d+\.\d s {2}/

    it('break between words and are indented, so that the times stand alone', () => {
      const { board } = aBoard()
      const texts = [progressText(board, columns), ...board.happenings.map(it => happeningText(it, columns))]
      for (const text of texts) {
        const [first = '', ...others] = linesOf(text)
        expect(first).to.match(times)
        for (const other of others) expect(other).to.match(/^ {9}\S/)
        expect(tooLong([first, ...others], Math.max(columns, 9 + '(shards: bob 1, cleo 1)'.length))).to.deep.equal([])
      }
    })

    it('say how far the demo is, and who holds how many shards', () => {
      const text = linesOf(progressText(aBoard().board, columns)).join(' ').replaceAll(/ +/g, ' ')
      expect(text).to.match(/ s put 3,540, processed 2,250, lag 1,290 \(shards: bob 1, cleo 1\)$/)
    })
  })
}

describe('progressText', () => {
  it('is one line where lines may be of any length', () => {
    expect(linesOf(progressText(aBoard().board, Number.POSITIVE_INFINITY))).to.have.length(1)
  })
})

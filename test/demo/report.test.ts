// How the demo ends: the result in words and in JSON, and the exit code, from the ledgers that the workers left.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { expect } from 'chai'
import type { LogLine } from '../../examples/demo/access-log.ts'
import { type Conclusion, conclude } from '../../examples/demo/conclusion.ts'
import { type LedgerRow, openLedger } from '../../examples/demo/ledger.ts'
import { aBoard, aRow, BoardTeller } from '../support/demo-board.ts'

describe('conclude', () => {
  const TEXT = 'address - - [17/May/2015:10:05:03 +0000] "GET /path HTTP/1.1" 200 1000 "-" "-"'
  /** Two addresses, by turns. */
  const LINES: LogLine[] = Array.from({ length: 12 }, (_, i) => ({
    number: i + 1,
    address: i % 2 === 0 ? 'a' : 'b',
    text: TEXT
  }))
  let directory: string

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'millrace-test-'))
  })

  afterEach(() => rmSync(directory, { recursive: true, force: true }))

  /** The file of each worker, with the lines it processed. Each row is later than the one before, whosever it is. */
  function ledgersOf(workers: Record<string, readonly number[]>, change = (row: LedgerRow): LedgerRow => row) {
    let at = 0
    const files = Object.entries(workers).map(([workerId, numbers]) => {
      const file = join(directory, `${workerId}.jsonl`)
      const append = openLedger(file)
      for (const line of numbers) append([change(aRow({ line, at: String(++at) }))])
      return [workerId, file] as const
    })
    return new Map(files)
  }

  function concludeFrom(
    ledgers: ReadonlyMap<string, string>,
    { board = aBoard().board, columns = 80, json = false, lines = LINES } = {}
  ): Conclusion & { facts: string } {
    const { text, exitCode } = conclude({ lines, ledgers, board, elapsedMs: 25_000 }, { json, columns })
    const plain = stripVTControlCharacters(text)
    return { text: plain, exitCode, facts: plain.replaceAll(/\s+/g, ' ') }
  }

  const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i)

  it('succeeds if every line was processed in order', () => {
    const { exitCode, facts } = concludeFrom(ledgersOf({ ada: range(1, 6), bob: range(7, 12) }))
    expect(exitCode).to.equal(0)
    expect(facts)
      .to.include('✔ 12 of 12 lines were processed.')
      .and.to.include('✔ The lines of every client address were processed in order.')
      .and.to.include('✔ The counts of every path are those of the file.')
      .and.to.include('• No line was processed twice.')
      .and.to.include('Nothing lost, nothing out of order, in 25.0 s.')
  })

  it('fails if a line is missing, and names it', () => {
    const { exitCode, facts } = concludeFrom(ledgersOf({ ada: range(1, 6), bob: range(7, 11) }))
    expect(exitCode).to.equal(1)
    expect(facts)
      .to.include('✘ 11 of 12 lines were processed: not so for 1 line (12).')
      .and.to.include('✘ The counts of every path are those of the file: not so for 1 path (/path).')
      .and.to.include('✔ The lines of every client address were processed in order.')
      .and.to.include('This is not as it must be.')
      .and.not.to.include('Nothing lost')
  })

  it('names no more than five of many, and counts the rest', () => {
    const { exitCode, facts } = concludeFrom(ledgersOf({ ada: [11, 12] }))
    expect(exitCode).to.equal(1)
    expect(facts).to.include('not so for 10 lines (1, 2, 3, 4, 5, …).')
  })

  it('fails if a line came before an earlier one of its address, and names it', () => {
    const { exitCode, facts } = concludeFrom(ledgersOf({ ada: [1, 2, 5, 4, 3, 6], bob: range(7, 12) }))
    expect(exitCode).to.equal(1)
    expect(facts)
      .to.include('✔ 12 of 12 lines were processed.')
      .and.to.include('✘ The lines of every client address were processed in order: not so for 1 line (5).')
  })

  it('does not mind the order of lines of two addresses', () => {
    expect(concludeFrom(ledgersOf({ ada: [2, 1, 4, 3, 6, 5], bob: range(7, 12) })).exitCode).to.equal(0)
  })

  it('fails if requests were read wrongly, and names the paths', () => {
    const misread = (row: LedgerRow): LedgerRow => (row.line === 3 ? { ...row, path: '/other' } : row)
    const { exitCode, facts } = concludeFrom(ledgersOf({ ada: range(1, 12) }, misread))
    expect(exitCode).to.equal(1)
    expect(facts).to.match(/✘ The counts of every path .*: not so for 2 paths \(\/path, \/other\)\./)
  })

  it('fails if a line was processed that is not in the file, and names it', () => {
    const { exitCode, facts } = concludeFrom(ledgersOf({ ada: range(1, 13) }))
    expect(exitCode).to.equal(1)
    expect(facts).to.include('✘ Only lines of the file were processed: not so for 1 line (13).')
  })

  it('fails if nothing was processed at all', () => {
    const { exitCode, facts } = concludeFrom(new Map())
    expect(exitCode).to.equal(1)
    expect(facts).to.include('✘ 0 of 12 lines were processed')
  })

  it('does not count a row that was cut off by the kill', () => {
    const ledgers = ledgersOf({ ada: range(1, 11) })
    writeFileSync(ledgers.get('ada') as string, JSON.stringify(aRow({ line: 12, at: '12' })), { flag: 'a' })
    expect(concludeFrom(ledgers).facts).to.include('not so for 1 line (12)')
  })

  it('allows lines that come twice, and says why they did', () => {
    // ada was killed, bob was not.
    const { exitCode, facts } = concludeFrom(ledgersOf({ ada: range(1, 6), bob: range(5, 12), cleo: [12] }))
    expect(exitCode).to.equal(0)
    expect(facts)
      .to.include('• 2 lines came twice: ada was killed before a checkpoint.')
      .and.to.include('• 1 line came twice for another reason.')
  })

  it('says how long each shard of the killed worker waited, and which waits still', () => {
    const teller = aBoard()
    const ledgers = ledgersOf({ ada: range(1, 12) })
    const before = concludeFrom(ledgers, { board: teller.board }).facts
    expect(before)
      .to.include('✘ Shard 0 of ada was not taken by another worker.')
      .and.to.include('• Shard 1 of ada waited 3.3 s for cleo.')
    teller.takes('bob', 0, { atNs: teller.afterKill(4_000) })
    expect(concludeFrom(ledgers, { board: teller.board }).facts).to.include('• Shard 0 of ada waited 4.0 s for bob.')
  })

  it('separates the thousands of every number', () => {
    const lines = range(1, 1_200).map(number => ({ number, address: 'a', text: TEXT.replace('1000', '2000000') }))
    const ledgers = ledgersOf({ ada: range(1, 1_200) }, row => ({ ...row, bytes: 2_000_000 }))
    const { exitCode, facts } = concludeFrom(ledgers, { lines })
    expect(exitCode).to.equal(0)
    expect(facts).to.include('1,200 requests, 2,400.0 MB, 0 errors').and.to.include('│ /path │ 1,200 │ 2,400.0 │ 0 │')
  })

  for (const columns of [60, 80, 120]) {
    it(`fits into ${columns} columns, long paths and many exceptions included`, () => {
      const paths = range(1, 12).map(number => `/${'long/'.repeat(number)}${number}`)
      const lines = LINES.map(line => ({ ...line, text: TEXT.replace('/path', paths[line.number - 1] as string) }))
      const ledgers = ledgersOf({ ada: range(3, 9) }, row => ({ ...row, path: paths[row.line - 1] as string }))
      for (const report of [concludeFrom(ledgers, { lines, columns }), concludeFrom(ledgers, { columns })]) {
        expect(report.exitCode).to.equal(1)
        expect(report.text.split('\n').filter(line => line.length > columns)).to.deep.equal([])
      }
    })
  }

  describe('with json', () => {
    it('tells the same in one line', () => {
      const teller = aBoard()
      teller.takes('bob', 0, { atNs: teller.afterKill(4_000) })
      const ledgers = ledgersOf({ ada: [1, 2, 5, 4, 3, 6], bob: range(6, 11) })
      const { text, exitCode } = concludeFrom(ledgers, { board: teller.board, json: true })
      expect(exitCode).to.equal(1)
      expect(text).not.to.include('\n')
      expect(JSON.parse(text)).to.deep.equal({
        ...{ produced: 12, processed: 11, missing: 1, duplicates: 1, outOfOrder: 1 },
        ...{ shards: 4, workers: 3, takeoverMs: 4_000, seconds: 25 }
      })
    })

    it('tells no takeover while a shard waits, nor without a kill', () => {
      const ledgers = ledgersOf({ ada: range(1, 12) })
      for (const { board } of [aBoard(), new BoardTeller(12)]) {
        const { text, exitCode } = concludeFrom(ledgers, { board, json: true })
        expect(exitCode).to.equal(0)
        expect(JSON.parse(text)).to.include({ takeoverMs: null })
      }
    })
  })
})

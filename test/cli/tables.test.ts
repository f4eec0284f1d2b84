import { expect } from 'chai'
import { createColors } from 'picocolors'
import { tableLines } from '../../src/cli/tables.ts'

const COLUMNS = [{ title: 'shard', align: 'right' }, { title: 'worker' }, { title: 'lag', align: 'right' }] as const

describe('tableLines', () => {
  it('are as wide as what is in them, without lines between them', () => {
    const rows = [
      ['1', 'w1', '5 ms'],
      ['12', 'a-long-name', '1.2 s']
    ]
    expect(tableLines(COLUMNS, rows, text => text)).to.deep.equal([
      'shard  worker         lag',
      '    1  w1            5 ms',
      '   12  a-long-name  1.2 s'
    ])
  })

  it('stand in line with colours', () => {
    const { red } = createColors(true)
    const lines = tableLines(COLUMNS, [[red('1'), red('w1'), '5 ms']], red)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one
    expect(lines.map(line => line.replace(/\u001b\[\d+m/g, ''))).to.deep.equal([
      'shard  worker   lag',
      '    1  w1      5 ms'
    ])
    expect(lines[1]).to.include('\u001b[31m')
  })

  it('have their titles without any rows', () => {
    expect(tableLines(COLUMNS, [], text => text)).to.deep.equal(['shard  worker  lag'])
  })
})

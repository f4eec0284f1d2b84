import { expect } from 'chai'
import { effectiveEntries, parseProperties } from '../../src/multilang/properties.ts'

type Entries = readonly (readonly [key: string, value: string])[]

/** What java.util.Properties of Java 17 puts, in its order; `undefined` where it throws. */
const CASES: readonly (readonly [name: string, file: string, entries: Entries | undefined])[] = [
  [
    'separates by =, : or blanks',
    'a=1\nb:2\nc 3\nd\t4\ne\f5',
    [
      ['a', '1'],
      ['b', '2'],
      ['c', '3'],
      ['d', '4'],
      ['e', '5']
    ]
  ],
  [
    'takes one separator, and the blanks around it, away',
    'a  =  1\nb : 2\nc   :=3\nd == 4\ne :: 5',
    [
      ['a', '1'],
      ['b', '2'],
      ['c', '=3'],
      ['d', '= 4'],
      ['e', ': 5']
    ]
  ],
  [
    'keeps blanks at the end of a value',
    'a=1  \nb=2\t',
    [
      ['a', '1  '],
      ['b', '2\t']
    ]
  ],
  [
    'knows keys without a value',
    'a\nb=\nc:\nd ',
    [
      ['a', ''],
      ['b', ''],
      ['c', ''],
      ['d', '']
    ]
  ],
  [
    'knows values without a key',
    '=1\n:2',
    [
      ['', '1'],
      ['', '2']
    ]
  ],
  ['skips comments and blank lines', '# one\n! two\n\n   \n\t# three\na=1#2!3', [['a', '1#2!3']]],
  [
    'ends lines with a line feed, a carriage return, or both',
    'a=1\rb=2\r\nc=3\n\rd=4',
    [
      ['a', '1'],
      ['b', '2'],
      ['c', '3'],
      ['d', '4']
    ]
  ],
  [
    'joins lines at a backslash, without the blanks of the next',
    'a=1,\\\n    2,\\\r\n\t3\nb=4',
    [
      ['a', '1,2,3'],
      ['b', '4']
    ]
  ],
  ['joins keys as well', 'fail\\\n  over=1', [['failover', '1']]],
  [
    'does not join at two backslashes',
    'a=1\\\\\nb=2\nc=3\\\\\\\n4',
    [
      ['a', '1\\'],
      ['b', '2'],
      ['c', '3\\4']
    ]
  ],
  [
    'sees no comment in a line that goes on',
    'a=1,\\\n# 2\nb=3,\\\n! 4',
    [
      ['a', '1,# 2'],
      ['b', '3,! 4']
    ]
  ],
  [
    'ends an entry at an empty line behind a backslash',
    'a=1\\\n\nb=2',
    [
      ['a', '1'],
      ['b', '2']
    ]
  ],
  ['sees a comment behind a line that is nothing but a backslash', '\\\n# a\nb=2', [['b', '2']]],
  ['drops a backslash at the end of the file', 'a=1\\', [['a', '1']]],
  ['makes an entry of a last line that is nothing but a backslash', '\\\n', [['', '']]],
  ['knows escapes', 'a=\\t\\n\\r\\f\\\\\\"\\\'\\z\\ ', [['a', '\t\n\r\f\\"\'z ']]],
  [
    'takes escaped separators into the key',
    'a\\=b=1\na\\:b=2\na\\ b=3\n\\#c=4',
    [
      ['a=b', '1'],
      ['a:b', '2'],
      ['a b', '3'],
      ['#c', '4']
    ]
  ],
  [
    'knows \\u with four digits in keys and values',
    '\\u0061\\u00E9=\\u20ac\\uD83D\\uDE00',
    [['a\u00e9', '\u20ac\ud83d\ude00']]
  ],
  ['takes bytes as ISO 8859-1', 'gr\u00fc\u00df=\u00e9', [['gr\u00fc\u00df', '\u00e9']]],
  ['keeps quotes and backquotes', 'a="b c" `d`', [['a', '"b c" `d`']]],
  [
    'keeps every entry of a key, in the order of the file',
    'a=1\nb=2\na=3',
    [
      ['a', '1'],
      ['b', '2'],
      ['a', '3']
    ]
  ],
  ['takes \\u in the middle of an escape apart', 'a=\\\\u0041', [['a', '\\u0041']]],
  ['refuses \\u without four digits', 'a=\\u12', undefined],
  ['refuses \\u with letters that are no digits', 'a=\\u12G4', undefined],
  ['reads a file without anything', '', []]
]

const parse = (text: string) => parseProperties(Buffer.from(text, 'latin1'))

describe('parseProperties', () => {
  for (const [name, file, entries] of CASES) {
    it(name, () => {
      const { entries: found, malformed } = parse(file)
      expect(malformed.length > 0).to.equal(entries === undefined)
      if (entries !== undefined) expect(found.map(({ key, value }) => [key, value])).to.deep.equal(entries)
    })
  }

  it('says on which line an entry begins, whatever ends lines', () => {
    const { entries } = parse('# one\r\na=1\r\n\rb=2\\\n  3\n! four\n\n  c=4')
    expect(entries.map(({ key, line }) => [key, line])).to.deep.equal([
      ['a', 2],
      ['b', 4],
      ['c', 8]
    ])
  })

  it('says on which lines entries are malformed, and reads the others', () => {
    const { entries, malformed } = parse('a=\\u12\nb=1\n\\uxyzw=2')
    expect(entries.map(({ key }) => key)).to.deep.equal(['b'])
    expect(malformed.map(({ line }) => line)).to.deep.equal([1, 3])
  })

  it('reads files that are longer than one piece', () => {
    const lines = Array.from({ length: 2_000 }, (_, n) => `key${n} = value ${n}`)
    const { entries } = parse(lines.join('\n'))
    expect(entries).to.have.length(2_000)
    expect(entries.at(-1)).to.deep.equal({ key: 'key1999', value: 'value 1999', line: 2_000 })
  })
})

describe('effectiveEntries', () => {
  it('is the last entry of each key', () => {
    const { entries } = parse('a=1\nb=2\na=3\nc=4\na=5')
    expect(effectiveEntries(entries).map(({ value, line }) => [value, line])).to.deep.equal([
      ['2', 2],
      ['4', 4],
      ['5', 5]
    ])
  })
})

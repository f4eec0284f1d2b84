import { expect } from 'chai'
import { lineOf, objectOf, parseFilter, shardsToBegin, textOf } from '../../src/cli/tail-rules.ts'
import { OptionError } from '../../src/model/errors.ts'
import { FULL_HASH_KEY_RANGE } from '../../src/model/hash-key-range.ts'
import { ConsumedRecord } from '../../src/model/record.ts'
import type { Shard } from '../../src/model/shard.ts'

const PLAIN = { dim: (text: string) => text, cyan: (text: string) => text, yellow: (text: string) => text }

function aRecord(data: string | Uint8Array, partitionKey = 'customer-7'): ConsumedRecord {
  const bytes = typeof data === 'string' ? Buffer.from(data) : data
  const arrivedAtMs = Date.parse('2026-11-27T10:00:00.250Z')
  return new ConsumedRecord({
    sequenceNumber: '5',
    subSequenceNumber: 2,
    partitionKey,
    data: bytes,
    arrivedAtMs,
    aggregated: true
  })
}

describe('parseFilter', () => {
  const isMeant = (filter: string, key: string, text: string): boolean => parseFilter(filter)(key, () => text)

  it('looks for a text in the key and in the payload, or in one of the two', () => {
    expect(isMeant('eu-', 'eu-1', 'x')).to.equal(true)
    expect(isMeant('eu-', 'us-1', 'eu-1')).to.equal(true)
    expect(isMeant('eu-', 'us-1', 'x')).to.equal(false)
    expect(isMeant('key=eu-', 'us-1', 'eu-1')).to.equal(false)
    expect(isMeant('text=eu-', 'eu-1', 'x')).to.equal(false)
    expect(isMeant('text=a=b', 'x', 'a=b')).to.equal(true)
    expect(isMeant('a.c', 'abc', 'abc')).to.equal(false)
  })

  it('takes what stands in slashes for a regular expression, and finds it every time', () => {
    const filter = parseFilter('text=/^ERR(OR)?\\b/i')
    for (let i = 0; i < 3; i++) expect(filter('k', () => 'error 5')).to.equal(true)
    expect(filter('error', () => 'fine')).to.equal(false)
    expect(isMeant('/a', 'x', 'x/a')).to.equal(true)
  })

  it('does not make the text of a payload that it does not look at', () => {
    const text = (): string => {
      throw new Error('made')
    }
    expect(parseFilter('key=eu')('eu', text)).to.equal(true)
    expect(parseFilter('eu')('eu', text)).to.equal(true)
  })

  it('refuses an expression that is none, and nothing to look for', () => {
    expect(() => parseFilter('/(/')).to.throw(OptionError, 'Option --filter: is "/(/", expected a regular expression')
    for (const empty of ['', 'key=', 'text=']) expect(() => parseFilter(empty)).to.throw(OptionError, '--filter')
    expect(() => parseFilter('/a/g')).to.not.throw()
  })
})

describe('shardsToBegin', () => {
  const shard = (shardId: string, parentShardId?: string, adjacentParentShardId?: string): Shard => ({
    shardId,
    ...(parentShardId !== undefined && { parentShardId }),
    ...(adjacentParentShardId !== undefined && { adjacentParentShardId }),
    hashKeyRange: FULL_HASH_KEY_RANGE,
    startingSequenceNumber: '1'
  })
  const listed = [shard('a', 'expired'), shard('b'), shard('a1', 'a'), shard('m', 'a', 'b')]
  const begin = (begun: readonly string[], done: readonly string[]): string[] =>
    shardsToBegin(listed, new Set(begun), new Set(done)).map(({ shardId }) => shardId)

  it('are those whose listed parents are all done, each once', () => {
    expect(begin([], [])).to.deep.equal(['a', 'b'])
    expect(begin(['a', 'b'], [])).to.deep.equal([])
    expect(begin(['a', 'b'], ['a'])).to.deep.equal(['a1'])
    expect(begin(['a', 'b', 'a1'], ['a', 'b'])).to.deep.equal(['m'])
  })
})

describe('lineOf', () => {
  it('has when it arrived, the shard, the key and the payload, with tabs between them', () => {
    expect(lineOf('shardId-000000000012', aRecord('{"a":1}'), PLAIN)).to.equal(
      '2026-11-27T10:00:00.250Z\t12\tcustomer-7\t{"a":1}'
    )
  })

  it('is one line that steers no terminal, whatever the payload and the key are', () => {
    const line = lineOf('shardId-000000000012', aRecord('a\nb\u001b[2J', 'k\u001b]0;x\u0007'), PLAIN)
    for (const control of ['\n', '\u001b', '\u0007']) expect(line).to.not.include(control)
    expect(line).to.include('a\\nb\\u001b[2J')
  })

  it('has bytes that are no text in base64', () => {
    expect(lineOf('s', aRecord(Uint8Array.of(0xff, 0xfe)), PLAIN)).to.match(/\tbase64:\/\/4=$/)
  })
})

describe('objectOf', () => {
  it('has everything, the payload as text or in base64', () => {
    expect(objectOf('shardId-000000000012', aRecord('ü'))).to.deep.equal({
      shardId: 'shardId-000000000012',
      sequenceNumber: '5',
      subSequenceNumber: 2,
      partitionKey: 'customer-7',
      arrivedAt: '2026-11-27T10:00:00.250Z',
      aggregated: true,
      text: 'ü'
    })
    expect(objectOf('s', aRecord(Uint8Array.of(0xff))))
      .to.include({ base64: '/w==' })
      .and.not.have.property('text')
  })
})

describe('textOf', () => {
  it('is exact: a byte order mark stays, and what is no UTF-8 is no text', () => {
    expect(textOf(Buffer.from('\ufeffx'))).to.equal('\ufeffx')
    expect(textOf(Uint8Array.of(0xc3))).to.equal(undefined)
  })
})

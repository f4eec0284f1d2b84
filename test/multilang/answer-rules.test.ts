import { expect } from 'chai'
import { parseAnswer } from '../../src/multilang/answer-rules.ts'

const AT = '49590338271490256608559692538361571095921575989136588898'

function status(responseFor: string | undefined, shardId?: string, maxShards?: number) {
  return { kind: 'status', responseFor, shardId, maxShards }
}

function checkpoint(sequenceNumber: string | null, subSequenceNumber: number | null = null, shardId?: string) {
  return { kind: 'checkpoint', sequenceNumber, subSequenceNumber, shardId }
}

const TAKEN: readonly (readonly [what: string, line: string, message: object])[] = [
  ['a status of Node', '{"action":"status","responseFor":"initialize"}', status('initialize')],
  ['a status of Python', '{"action": "status", "responseFor": "processRecords"}', status('processRecords')],
  ['a checkpoint of Node', `{"action":"checkpoint","sequenceNumber":"${AT}"}`, checkpoint(AT)],
  [
    'a checkpoint of Python',
    `{"action": "checkpoint", "sequenceNumber": "${AT}", "subSequenceNumber": 1}`,
    checkpoint(AT, 1)
  ],
  ['a checkpoint of everything', '{"action":"checkpoint","sequenceNumber":null}', checkpoint(null)],
  ['a checkpoint that says no more', '{"action":"checkpoint"}', checkpoint(null)],
  ['another order', '{"responseFor":"leaseLost","action":"status"}', status('leaseLost')],
  ['blanks around it, and the end of a Windows line', ' \t{"action":"status","responseFor":"x"} \r', status('x')],
  ['text after the object', '{"action":"status","responseFor":"x"} and {more', status('x')],
  ['a number of 56 digits as it is', `{"action":"checkpoint","sequenceNumber":${AT}}`, checkpoint(AT)],
  ['a small number', '{"action":"checkpoint","sequenceNumber":123}', checkpoint('123')],
  [
    'a sub-sequence number as text',
    '{"action":"checkpoint","sequenceNumber":"1","subSequenceNumber":"7"}',
    checkpoint('1', 7)
  ],
  ['one with a fraction', '{"action":"checkpoint","sequenceNumber":"1","subSequenceNumber":1.5}', checkpoint('1', 1)],
  ['an empty one', '{"action":"checkpoint","sequenceNumber":"1","subSequenceNumber":""}', checkpoint('1')],
  ['a negative one', '{"action":"checkpoint","sequenceNumber":"1","subSequenceNumber":-1}', checkpoint('1', -1)],
  ['an error that a client sends back', '{"action":"checkpoint","sequenceNumber":"1","error":null}', checkpoint('1')],
  ['what was the name of the position once', '{"action":"checkpoint","checkpoint":"123"}', checkpoint('123')],
  [
    'more than is known, beside a position',
    '{"action":"checkpoint","sequenceNumber":"1","extra":{"a":[1]}}',
    checkpoint('1')
  ],
  ['a status for nothing', '{"action":"status"}', status(undefined)],
  ['escapes', '{"action":"st\\u0061tus","responseFor":"a\\"}b"}', status('a"}b')],
  [
    'how many shards a child can serve',
    '{"action":"status","responseFor":"initialize","shardId":"a","maxShards":8}',
    status('initialize', 'a', 8)
  ],
  ['nonsense about that', '{"action":"status","responseFor":"initialize","maxShards":0}', status('initialize')],
  [
    'a checkpoint that says its shard',
    '{"action":"checkpoint","shardId":"a","sequenceNumber":"1"}',
    checkpoint('1', null, 'a')
  ]
]

const NOISE: readonly string[] = [
  ...['plain text', '[]', '123', '"status"', 'null', 'true', '{', '{"action":', '}', '{"action":"status" "a"}'],
  ...['{"action":"nonsense"}', '{}', '{"action":null}', '{"action":{"action":"status"}}', '{"action":12}'],
  ...['{"action":"leaseLost"}', '{"action":"initialize","shardId":"a"}', '{"action":"shutdown","reason":"ZOMBIE"}'],
  '{"action":"checkpoint","extra":1}',
  '{"action":"checkpoint","sequence":"123"}',
  '{"action":"checkpoint","sequenceNumber":{"a":1}}',
  '{"action":"checkpoint","sequenceNumber":"1","subSequenceNumber":"many"}',
  '{"action":"checkpoint","sequenceNumber":"1","subSequenceNumber":true}',
  `${'['.repeat(50_000)}`,
  `{"a":${'['.repeat(60_000)}`,
  `{"a":"${'\\'.repeat(60_000)}`,
  'half a line {"action":"status","responseFor":"initialize"}'
]

describe('parseAnswer', () => {
  for (const [what, line, message] of TAKEN) {
    it(`takes ${what}`, () => {
      expect(parseAnswer(line)).to.deep.equal(message)
    })
  }

  it('takes an empty line for what comes before each message', () => {
    for (const line of ['', '  ', '\r']) expect(parseAnswer(line)).to.deep.equal({ kind: 'blank' })
  })

  for (const line of NOISE) {
    it(`takes for noise: ${line.slice(0, 80)}`, () => {
      expect(parseAnswer(line).kind).to.equal('noise')
    })
  }

  it('says why a line is none', () => {
    expect(parseAnswer('{"action":"leaseLost"}')).to.include({ because: 'its action is one of the daemon' })
  })
})

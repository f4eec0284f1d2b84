import { expect } from 'chai'
import { planFailures } from '../../src/multilang/failure-property-rules.ts'
import { parseProperties } from '../../src/multilang/properties.ts'
import { PropertySheet } from '../../src/multilang/property-rules.ts'

function failuresOf(...lines: readonly string[]) {
  const sheet = new PropertySheet(parseProperties(Buffer.from(lines.join('\n'), 'latin1')))
  const plan = planFailures(sheet)
  return { ...plan, problems: sheet.problems.map(({ property, problem }) => `${property} ${problem}`) }
}

describe('planFailures', () => {
  it('halts a shard and puts no limit to a batch, as the daemon of Java puts none', () => {
    // biome-ignore lint/suspicious/noThenProperty: the name of an option
    expect(failuresOf().onProcessorError).to.deep.equal({ timeoutMs: 86_400_000, then: 'halt' })
  })

  const PLACES: readonly (readonly [string, object])[] = [
    ['file:/var/letters.jsonl', { kind: 'file', path: '/var/letters.jsonl' }],
    ['file:letters.jsonl', { kind: 'file', path: 'letters.jsonl' }],
    ['stream:failed-orders', { kind: 'stream', stream: 'failed-orders' }],
    [
      'stream:arn:aws:kinesis:eu-west-1:123456789012:stream/failed',
      { kind: 'stream', stream: 'arn:aws:kinesis:eu-west-1:123456789012:stream/failed' }
    ],
    [
      'sqs:https://sqs.eu-west-1.amazonaws.com/123456789012/failed',
      { kind: 'sqs', queueUrl: 'https://sqs.eu-west-1.amazonaws.com/123456789012/failed' }
    ],
    ['s3://letters', { kind: 's3', bucket: 'letters', prefix: '' }],
    ['s3://letters/a/b/', { kind: 's3', bucket: 'letters', prefix: 'a/b' }]
  ]
  for (const [value, plan] of PLACES) {
    it(`sends dead letters to ${value}`, () => {
      const { deadLetters, problems } = failuresOf('millrace.then=dead-letter', `millrace.deadLetters=${value}`)
      expect(problems).to.deep.equal([])
      expect(deadLetters).to.deep.equal(plan)
    })
  }

  for (const [lines, problem] of [
    [
      ['millrace.then=dead-letter'],
      /^millrace\.deadLetters is missing, because millrace\.then says dead-letter: expected file:/
    ],
    [['millrace.deadLetters=file:a'], /^millrace\.deadLetters is given, and nothing would use it/],
    [['millrace.then=dead-letter', 'millrace.deadLetters=letters.txt'], /is "letters\.txt", expected file:PATH/],
    [['millrace.then=dead-letter', 'millrace.deadLetters=sqs:failed'], /is "sqs:failed", expected file:PATH/],
    [['millrace.maxRecordAgeMillis=5000'], /is 5000, expected millrace\.then to say dead-letter or skip/],
    [['taskBackoffTimeMillis=2000', 'millrace.maxBackoffMillis=1000'], /is 1000, expected at least 2000/],
    [['millrace.maxBackoffMillis=100'], /is 100, expected at least 500/]
  ] as const) {
    it(`refuses ${lines.join(' with ')}`, () => {
      const { problems } = failuresOf(...lines)
      expect(problems).to.have.length(1)
      expect(problems[0]).to.match(problem)
    })
  }
})

// The IAM policy of README.md allows what is called, and nothing else.
import { expect } from 'chai'
import { callsMade } from '../support/calls-made.ts'
import { codeIn, textOf } from '../support/pages.ts'

describe('the IAM policy in README.md', () => {
  const [, policy = '', prose = ''] =
    /## IAM policy\n+```json\n([\s\S]*?)```([\s\S]*?)\n## /.exec(textOf('README.md')) ?? []
  const allowed: string[] = JSON.parse(policy).Statement.flatMap(({ Action }: { Action: string[] }) => Action)
  const [, additions = ''] = /\bAdd (.*)/.exec(prose) ?? []
  const added = codeIn(additions).filter(word => word.includes(':'))

  it('allows the calls that are made, together with what the text says to add, and no other', () => {
    // What a call needs beside its own permission: CreateTable with tags, and reading an encrypted stream.
    const besides = ['dynamodb:TagResource', 'kms:Decrypt']
    expect([...allowed, ...added].sort()).to.deep.equal([...callsMade().keys(), ...besides].sort())
  })

  it('leaves out what only some applications need', () => {
    expect(added).to.deep.equal([
      ...['kinesis:RegisterStreamConsumer', 'kinesis:DescribeStreamConsumer', 'kinesis:SubscribeToShard'],
      'kinesis:ListStreamConsumers',
      ...['dynamodb:TagResource', 'dynamodb:UpdateContinuousBackups', 'kms:Decrypt'],
      ...['kinesis:PutRecords', 'sqs:SendMessage', 's3:PutObject'],
      ...[
        'sqs:ReceiveMessage',
        'sqs:DeleteMessage',
        'sqs:ChangeMessageVisibility',
        's3:ListBucket',
        's3:GetObject',
        's3:DeleteObject'
      ],
      'cloudwatch:PutMetricData',
      ...['dynamodb:UpdateTable', 'dynamodb:DeleteTable'],
      ...['dynamodb:ListStreams', 'dynamodb:DescribeStream', 'dynamodb:GetShardIterator', 'dynamodb:GetRecords'],
      'glue:GetSchemaVersion'
    ])
  })
})

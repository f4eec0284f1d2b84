// The IAM policy of README.md allows what is called, and nothing else.
import { expect } from 'chai'
import { codeIn, textOf } from '../support/pages.ts'
import { sourceFiles } from '../support/source-files.ts'

describe('the IAM policy in README.md', () => {
  const [, policy = '', prose = ''] =
    /## IAM policy\n+```json\n([\s\S]*?)```([\s\S]*?)\n## /.exec(textOf('README.md')) ?? []
  const allowed: string[] = JSON.parse(policy).Statement.flatMap(({ Action }: { Action: string[] }) => Action)
  const [, additions = ''] = /\bAdd (.*)/.exec(prose) ?? []
  const added = codeIn(additions).filter(word => word.includes(':'))

  it('allows the calls that are made, together with what the text says to add, and no other', () => {
    // What a call needs beside its own permission: CreateTable with tags, and reading an encrypted stream.
    const besides = ['dynamodb:TagResource', 'kms:Decrypt']
    expect([...allowed, ...added].sort()).to.deep.equal([...callsMade(), ...besides].sort())
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
      'cloudwatch:PutMetricData'
    ])
  })
})

/** Permissions for the commands of the SDK that src imports. */
function callsMade(): string[] {
  const commands = sourceFiles().flatMap(({ imports }) =>
    imports
      .filter(({ target }) => target.startsWith('@aws-sdk/'))
      .flatMap(({ target, names }) => names.filter(name => name.endsWith('Command')).map(name => ({ target, name })))
  )
  const calls = commands.map(({ target, name }) => {
    const call = name.replace(/Command$/, '')
    if (target === '@aws-sdk/client-cloudwatch') return `cloudwatch:${call}`
    if (target === '@aws-sdk/client-kinesis') return `kinesis:${call}`
    // What these allow has other names than what is called.
    if (target === '@aws-sdk/client-sqs') return `sqs:${call.replace(/Batch$/, '')}`
    if (target === '@aws-sdk/client-s3') return `s3:${call === 'ListObjectsV2' ? 'ListBucket' : call}`
    // The document client has names of its own for the calls about one item.
    return `dynamodb:${/^(Delete|Get|Put|Update)$/.test(call) ? `${call}Item` : call}`
  })
  return [...new Set(calls)]
}

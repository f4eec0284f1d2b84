import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { encodeDeadLetter } from '../../src/dead-letters/letter-codec.ts'
import { FakePutRecords } from '../dead-letters/fake-put-records.ts'
import { aLetter } from '../dead-letters/letters.ts'
import { CliRig } from '../support/cli-rig.ts'

describe('millrace redrive', () => {
  const stream = new FakePutRecords()
  let folder: string
  let rig: CliRig

  before(() => stream.server.listen())
  after(() => stream.server.close())

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-redrive-'))
    rig = new CliRig()
    rig.cwd = folder
    stream.records.length = 0
    const letters = [
      aLetter({ sequenceNumber: '1', data: Buffer.from('first') }),
      aLetter({ sequenceNumber: '2', data: Buffer.from('second'), error: { name: 'RangeError', message: 'x' } }),
      aLetter({ sequenceNumber: '3', data: Buffer.from('third'), shardId: 'shardId-000000000001' })
    ]
    writeFileSync(join(folder, 'letters.jsonl'), letters.map(letter => `${encodeDeadLetter(letter)}\n`).join(''))
    writeFileSync(
      join(folder, 'fix.mjs'),
      `import { appendFileSync } from 'node:fs'
export const redrive = letter => {
  if (letter.sequenceNumber === '2') throw new Error('not again')
  appendFileSync(${JSON.stringify(join(folder, 'done'))}, Buffer.from(letter.data).toString() + '\\n')
}`
    )
  })

  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  const redrive = (...argv: readonly string[]): Promise<number> => rig.run('redrive', 'letters.jsonl', ...argv)
  const toStream = (): readonly string[] => ['--to', 'orders', '--endpoint', stream.server.endpoint]

  it('puts letters back into a stream, under the keys that they had', async () => {
    expect(await redrive(...toStream(), '--yes'), rig.stderr.text).to.equal(0)
    expect(stream.records.map(({ PartitionKey, data }) => [PartitionKey, data.toString()])).to.deep.equal([
      ['customer-7', 'first'],
      ['customer-7', 'second'],
      ['customer-7', 'third']
    ])
    expect(rig.stdout.text).to.equal('3 letters read: 3 redriven, 0 skipped, 0 failed\n')
  })

  it('only those that are meant', async () => {
    expect(await redrive(...toStream(), '--yes', '--error', 'TypeError', '--shard', 'shardId-000000000001')).to.equal(0)
    expect(stream.records.map(({ data }) => data.toString())).to.deep.equal(['third'])
    expect(rig.stdout.text).to.equal('3 letters read: 1 redriven, 2 skipped, 0 failed\n')
  })

  it('calls a function of the user, and ends with 1 if letters failed', async () => {
    expect(await redrive('--module', 'fix.mjs', '--yes', '--json')).to.equal(1)
    expect(readFileSync(join(folder, 'done'), 'utf8')).to.equal('first\nthird\n')
    const [told] = rig.stdout.objects
    expect(told).to.deep.include({ dryRun: false, read: 3, redriven: 2, skipped: 0, failed: 1 })
    expect(rig.stderr.text).to.match(/^line 2 of .*letters\.jsonl: not again\n$/)
  })

  it('only counts with --dry-run, and needs to be told nothing for that', async () => {
    expect(await redrive('--dry-run', '--limit', '2')).to.equal(0)
    expect(rig.stdout.text).to.equal('2 letters read: 2 would be redriven, 0 skipped, 0 failed\n')
  })

  it('says what it will do and asks', async () => {
    rig.stdin.isTTY = true
    rig.type('n\n')
    expect(await redrive(...toStream())).to.equal(1)
    expect(rig.stderr.text).to.match(
      /^This puts the letters of file .* into orders: every application that reads orders sees those records again\.\nGo on\? \[y\/N\] Nothing was done\.\n$/
    )
    expect(stream.records).to.deep.equal([])
  })

  it('refuses a command line that does not say what to do', async () => {
    const refusals = [
      [[], 'Option --to: is missing, and so is --module'],
      [['--to', 'orders', '--module', 'fix.mjs'], 'Option --module: is given beside --to'],
      [['--to', 'orders'], 'Option --yes: is missing, and there is nobody to ask'],
      [['--to', 'orders', '--delete', '--yes'], 'Option --delete: is given with "letters.jsonl", expected s3://'],
      [['--to', 'orders', '--limit', '0'], 'Option --limit: is "0"'],
      [['--module', 'letters.jsonl', '--yes'], 'Option file: is']
    ] as const
    for (const [argv, message] of refusals) {
      rig = new CliRig()
      rig.cwd = folder
      expect(await redrive(...argv), argv.join(' ')).to.equal(2)
      expect(rig.stderr.text).to.include(message)
    }
  })

  it('fails if there are no such letters', async () => {
    expect(await rig.run('redrive', 'none.jsonl', '--dry-run')).to.equal(1)
    expect(rig.stderr.text).to.include('Dead letters could not be read from')
  })

  it('knows a queue and a bucket from a file', async () => {
    for (const [source, name] of [
      ['https://sqs.us-east-1.amazonaws.com/123456789012/letters', 'the queue'],
      ['s3://letters/orders/', 'the bucket']
    ] as const) {
      rig = new CliRig()
      rig.stdin.isTTY = true
      rig.type('n\n')
      expect(await rig.run('redrive', source, '--to', 'orders', '--region', 'us-east-1'), name).to.equal(1)
      expect(rig.stderr.text).to.include(`letters of ${source.startsWith('s3') ? source : `sqs ${source}`} into`)
      expect(rig.stderr.text.includes('are deleted')).to.equal(source.startsWith('https'))
    }
  })
})

import { expect } from 'chai'
import { deaggregate } from '../../src/kpl/deaggregate.ts'
import { ThrottledError } from '../../src/model/errors.ts'
import { CliRig, hopeless } from '../support/cli-rig.ts'

describe('millrace put', () => {
  let rig: CliRig

  beforeEach(() => {
    rig = new CliRig()
    rig.kinesis.createStream('orders', 2)
  })

  it('puts each argument under the key', async () => {
    expect(await rig.run('put', 'orders', 'one', 'two', '--key', 'customer-7')).to.equal(0)
    expect(rig.payloads('orders').filter(({ length }) => length > 0)).to.deep.equal([['one', 'two']])
    expect(rig.stderr.text).to.equal('2 records put into orders\n')
    expect(rig.stdout.text).to.equal('')
  })

  it('puts the lines of standard input, but for empty ones, each under a key of its own', async () => {
    rig.type('one\n\ntwo\r\nlast')
    expect(await rig.run('put', 'orders')).to.equal(0)
    expect(rig.payloads('orders').flat()).to.have.members(['one', 'two\r', 'last'])
    const keys = rig.kinesis
      .shards('orders')
      .flatMap(({ shardId }) => rig.kinesis.records('orders', shardId).map(({ partitionKey }) => partitionKey))
    expect(new Set(keys).size).to.equal(3)
  })

  it('keeps bytes that are no text', async () => {
    rig.type(Uint8Array.of(0xff, 0x00, 10, 0xfe))
    expect(await rig.run('put', 'orders', '--key', 'k')).to.equal(0)
    const data = rig.kinesis
      .shards('orders')
      .flatMap(({ shardId }) => rig.kinesis.records('orders', shardId).map(({ data }) => [...data]))
    expect(data).to.deep.equal([[0xff, 0x00], [0xfe]])
  })

  it('puts what was typed before more comes', async () => {
    const ending = rig.run('put', 'orders', '--key', 'k')
    rig.stdin.write('first\n')
    await until(() => rig.payloads('orders').flat().length === 1)
    rig.stdin.write('sec')
    rig.type('ond\n')
    expect(await ending).to.equal(0)
    expect(rig.payloads('orders').flat()).to.deep.equal(['first', 'second'])
  })

  it('puts many lines with few calls', async () => {
    rig.type(Array.from({ length: 1_200 }, (_, n) => `line ${n}`).join('\n'))
    expect(await rig.run('put', 'orders', '--key', 'k')).to.equal(0)
    expect(rig.payloads('orders').flat()).to.have.lengthOf(1_200)
    expect(rig.puts.length).to.be.lessThan(6)
  })

  it('aggregates with --aggregate, as what reads it expects', async () => {
    rig.type(Array.from({ length: 40 }, (_, n) => `line ${n}`).join('\n'))
    expect(await rig.run('put', 'orders', '--aggregate', '--json')).to.equal(0)
    const { put, kinesisRecords } = rig.stdout.objects[0] ?? {}
    expect(put).to.equal(40)
    expect(kinesisRecords).to.be.within(1, 4)
    const found = rig.kinesis.shards('orders').flatMap(({ shardId, hashKeyRange }) => {
      const { records, outOfRange } = deaggregate(rig.kinesis.records('orders', shardId), { hashKeyRange })
      expect(outOfRange).to.equal(0)
      return records.map(record => record.text())
    })
    expect(found).to.have.members(Array.from({ length: 40 }, (_, n) => `line ${n}`))
  })

  it('tells a program what was done as JSON, and nothing else', async () => {
    expect(await rig.run('put', 'orders', 'one', '--json')).to.equal(0)
    expect(rig.stdout.objects).to.deep.equal([{ stream: 'orders', put: 1, kinesisRecords: 1, failed: 0 }])
    expect(rig.stderr.text).to.equal('')
  })

  it('puts again what was throttled, and ends with 1 if something is refused for good', async () => {
    let throttled = 0
    rig.refuse = ({ data }) => {
      if (Buffer.from(data).toString() === 'bad') return hopeless('too large')
      return throttled++ === 0 ? new ThrottledError('slowly') : undefined
    }
    expect(await rig.run('put', 'orders', 'good', 'bad', '--key', 'k')).to.equal(1)
    expect(rig.payloads('orders').flat()).to.deep.equal(['good'])
    expect(rig.stderr.text).to.equal('1 record put into orders\n1 record refused, the first because: too large\n')
  })

  it('fails if there is no such stream', async () => {
    expect(await rig.run('put', 'other', 'x')).to.equal(1)
    expect(rig.stderr.text).to.include('other')
  })

  it('refuses a key that Kinesis would not take', async () => {
    for (const key of ['', 'x'.repeat(257)]) {
      expect(await rig.run('put', 'orders', 'x', '--key', key)).to.equal(2)
    }
    expect(rig.stderr.text).to.include('Option --key: is "", expected 1 to 256 characters')
    expect(rig.puts).to.deep.equal([])
  })

  it('ends at Ctrl-C with what was put', async () => {
    const ending = rig.run('put', 'orders', '--key', 'k')
    rig.stdin.write('first\n')
    await until(() => rig.payloads('orders').flat().length === 1)
    rig.signal()
    expect(await ending).to.equal(0)
    expect(rig.stderr.text).to.include('1 record put')
  })

  it('says where it reads from to a person who might wait for it', async () => {
    rig.stdin.isTTY = true
    rig.type('x\n')
    await rig.run('put', 'orders')
    expect(rig.stderr.text).to.match(/^Each line is put into orders. Ctrl-D ends it.\n/)
  })
})

async function until(isReached: () => boolean): Promise<void> {
  for (let turns = 0; turns < 10_000 && !isReached(); turns++) await new Promise(resolve => setImmediate(resolve))
  expect(isReached()).to.equal(true)
}

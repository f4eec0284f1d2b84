import { expect } from 'chai'
import { aggregate } from '../../src/kpl/aggregate.ts'
import { ServiceError } from '../../src/model/errors.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { CliRig } from '../support/cli-rig.ts'
import { whenOver } from '../support/when-over.ts'

describe('millrace tail', () => {
  let clock: VirtualClock
  let rig: CliRig

  beforeEach(() => {
    clock = new VirtualClock()
    rig = new CliRig({ clock })
    rig.kinesis.createStream('orders', 2)
  })

  const finish = (tailing: Promise<number>): Promise<number> => whenOver(clock, tailing)
  const tail = (...argv: readonly string[]): Promise<number> => finish(rig.run('tail', 'orders', ...argv))
  const payloads = (): string[] => rig.stdout.lines.map(line => line.split('\t').slice(3).join('\t'))
  const putMany = (from: number, to: number): void => {
    for (let n = from; n < to; n++) rig.kinesis.put('orders', `key-${n % 10}`, `record ${n}`)
  }

  it('shows everything there is, de-aggregated, in order by key', async () => {
    putMany(0, 20)
    const packed = aggregate(['x', 'y'].map(text => ({ partitionKey: 'key-1', data: Buffer.from(text) })))
    rig.kinesis.put('orders', packed.partitionKey, packed.data, { explicitHashKey: packed.explicitHashKey })
    expect(await tail('--from', 'trim', '--no-follow')).to.equal(0)
    expect(payloads()).to.have.members([...Array.from({ length: 20 }, (_, n) => `record ${n}`), 'x', 'y'])
    const ofKey = rig.stdout.lines.filter(line => line.split('\t')[2] === 'key-1').map(line => line.split('\t')[3])
    expect(ofKey).to.deep.equal(['record 1', 'record 11', 'x', 'y'])
    expect(rig.stdout.text).to.not.include('\u001b')
  })

  it('shows what is new, until Ctrl-C', async () => {
    putMany(0, 5)
    const tailing = rig.run('tail', 'orders')
    await clock.advance(3_000)
    putMany(5, 10)
    await clock.advance(3_000)
    rig.signal('SIGINT')
    expect(await finish(tailing)).to.equal(0)
    expect(payloads()).to.have.members(['record 5', 'record 6', 'record 7', 'record 8', 'record 9'])
    expect(rig.stderr.text).to.equal('')
  })

  it('goes on in the children of a shard that was split, parents first', async () => {
    putMany(0, 40)
    rig.kinesis.split('orders', 'shardId-000000000000')
    putMany(40, 80)
    expect(await tail('--from', 'trim', '--no-follow')).to.equal(0)
    expect(payloads()).to.have.lengthOf(80)
    for (let key = 0; key < 10; key++) {
      const numbers = rig.stdout.lines
        .filter(line => line.split('\t')[2] === `key-${key}`)
        .map(line => Number(line.split('record ')[1]))
      expect(numbers).to.deep.equal([...numbers].sort((a, b) => a - b))
    }
  })

  it('goes on in children that come while it looks', async () => {
    const tailing = rig.run('tail', 'orders')
    await clock.advance(2_000)
    rig.kinesis.split('orders', 'shardId-000000000000')
    putMany(0, 20)
    await clock.advance(5_000)
    rig.signal()
    expect(await finish(tailing)).to.equal(0)
    expect(payloads()).to.have.lengthOf(20)
  })

  it('begins at a time', async () => {
    putMany(0, 5)
    await clock.advance(600_000)
    putMany(5, 10)
    await clock.advance(60_000)
    expect(await tail('--from', '5m', '--no-follow')).to.equal(0)
    expect(payloads()).to.have.members(['record 5', 'record 6', 'record 7', 'record 8', 'record 9'])
  })

  it('shows only what the filters mean, and ends after so many', async () => {
    putMany(0, 40)
    expect(await tail('--from', 'trim', '--no-follow', '--filter', 'key=key-3', '--filter', '/record [12]/')).to.equal(
      0
    )
    expect(payloads()).to.have.members(['record 13', 'record 23'])
    rig = new CliRig({ clock })
    rig.kinesis.createStream('orders', 2)
    putMany(0, 40)
    expect(await tail('--from', 'trim', '--limit', '3')).to.equal(0)
    expect(payloads()).to.have.lengthOf(3)
  })

  it('shows only the shards that were asked for, by id or number', async () => {
    putMany(0, 40)
    expect(await tail('--from', 'trim', '--no-follow', '--shard', '1')).to.equal(0)
    expect(new Set(rig.stdout.lines.map(line => line.split('\t')[1]))).to.deep.equal(new Set(['1']))
    expect(await tail('--shard', 'shardId-000000000009')).to.equal(2)
    expect(rig.stderr.text).to.include(
      'Option --shard: is "shardId-000000000009", expected one of shardId-000000000000, shardId-000000000001'
    )
  })

  it('ends with a closed shard, if that alone was asked for', async () => {
    putMany(0, 40)
    rig.kinesis.split('orders', 'shardId-000000000001')
    expect(await tail('--from', 'trim', '--shard', '1')).to.equal(0)
    expect(rig.stdout.lines.length).to.be.greaterThan(5)
  })

  it('gives a program a line of JSON a record', async () => {
    rig.kinesis.put('orders', 'key', 'text')
    expect(await tail('--from', 'trim', '--no-follow', '--json')).to.equal(0)
    expect(rig.stdout.objects[0]).to.include({ partitionKey: 'key', text: 'text', aggregated: false })
  })

  it('gives payloads alone with --raw', async () => {
    rig.kinesis.put('orders', 'key', 'a\u001bb')
    expect(await tail('--from', 'trim', '--no-follow', '--raw')).to.equal(0)
    expect(rig.stdout.text).to.equal('a\u001bb\n')
    expect(await tail('--raw', '--json')).to.equal(2)
  })

  it('fails, and ends, if one shard cannot be read', async () => {
    rig.kinesis.intercept = ({ name }) => {
      if (name === 'getShardIterator') throw new ServiceError('access-denied', 'not allowed', { retryable: false })
    }
    expect(await tail()).to.equal(1)
    expect(rig.stderr.text).to.equal('millrace: not allowed\n')
  })

  it('fails if there is no such stream', async () => {
    expect(await finish(rig.run('tail', 'other'))).to.equal(1)
    expect(rig.stderr.text).to.include('other')
  })

  it('refuses what it does not understand before it reads', async () => {
    for (const argv of [
      ['--from', 'x'],
      ['--filter', '/(/'],
      ['--limit', '0']
    ])
      expect(await tail(...argv)).to.equal(2)
    expect(rig.clients).to.deep.equal([])
  })

  it('asks the client for where the flags say', async () => {
    await tail('--no-follow', '--endpoint', 'https://kinesis.example', '--region', 'eu-central-1')
    expect(rig.clients).to.deep.equal([{ endpoint: 'https://kinesis.example', region: 'eu-central-1' }])
  })
})

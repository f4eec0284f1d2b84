import { expect } from 'chai'
import { messageOf } from '../../src/model/errors.ts'
import { SystemChildren } from '../../src/multilang/system-children.ts'
import { memoryDeadLetters } from './memory-dead-letters.ts'
import { MultilangWorld, STREAM } from './multilang-world.ts'
import type { Heard, Part } from './scripted-children.ts'

const SHARD = 'shardId-000000000000'

/** Ends when it is given a record with this text. */
function diesOf(text: string): Part {
  return (message, child) => {
    if (textsOf(message).includes(text)) child.end(1)
    else child.say({ action: 'checkpoint', sequenceNumber: null })
  }
}

function textsOf({ records = [] }: Heard): string[] {
  return records.map(({ data }) => Buffer.from(data, 'base64').toString())
}

/** Answers processRecords once its checkpoint is answered. */
const answersAfterwards: Part = (_, child) => child.done('processRecords')

describe('runMultilang', () => {
  it('has a child initialized, given records, and asked to end in the order of KCL', async () => {
    const world = new MultilangWorld()
    world.put('a', 'b')
    const daemon = world.run()
    await world.clock.advance(5_000)
    const [child] = world.children.all
    expect(child?.given).to.deep.equal(['a', 'b'])
    expect(child?.heard[0]).to.deep.equal({
      action: 'initialize',
      shardId: SHARD,
      sequenceNumber: 'TRIM_HORIZON',
      subSequenceNumber: 0
    })
    daemon.stop()
    expect(await world.until(daemon.exitCode)).to.equal(0)
    expect(child?.actions.filter(action => action !== 'checkpoint')).to.deep.equal([
      ...['initialize', 'processRecords', 'shutdownRequested', 'leaseLost']
    ])
    expect(child?.signals).to.deep.equal([])
    expect(world.children.all).to.have.length(1)
    expect(world.clock.sleeping, 'timers').to.equal(0)
  })

  it('begins at the checkpoint, inside an aggregate too', async () => {
    const world = new MultilangWorld([
      {
        on: {
          processRecords: ({ records = [] }, child) =>
            child.say({ action: 'checkpoint', sequenceNumber: records[0]?.sequenceNumber, subSequenceNumber: 1 }),
          checkpoint: answersAfterwards,
          shutdownRequested: (_, child) => child.done('shutdownRequested')
        }
      },
      {}
    ])
    const sequenceNumber = world.putAggregate('a', 'b', 'c')
    const first = world.run()
    await world.clock.advance(5_000)
    expect(await world.checkpoints()).to.deep.equal({ [SHARD]: `${sequenceNumber}#1` })
    first.stop()
    await world.until(first.exitCode)
    const second = world.run({}, { workerId: 'w2' })
    await world.clock.advance(40_000)
    const { heard, given } = world.children.last
    expect(given).to.deep.equal(['c'])
    expect(heard[0]).to.include({ sequenceNumber, subSequenceNumber: 1 })
    second.stop()
    await world.until(second.exitCode)
  })

  it('stores the end of a shard, and goes on with its children', async () => {
    const world = new MultilangWorld()
    world.put('a')
    const daemon = world.run()
    await world.clock.advance(5_000)
    world.kinesis.split(STREAM, SHARD)
    await world.clock.advance(60_000)
    expect((await world.checkpoints())[SHARD]).to.equal('SHARD_END')
    const [parent, ...children] = world.children.all
    expect(parent?.actions).to.include('shardEnded').and.not.to.include('leaseLost')
    expect(parent?.isOver).to.equal(true)
    expect(children).to.have.length(2)
    daemon.stop()
    expect(await world.until(daemon.exitCode)).to.equal(0)
  })

  it('asks again at the end of a shard that was not checkpointed, and halts the shard loudly in the end', async () => {
    const world = new MultilangWorld([{ on: { shardEnded: (_, child) => child.done('shardEnded') } }])
    world.put('a')
    const daemon = world.run({}, { onProcessorError: { attempts: 3 } })
    await world.clock.advance(5_000)
    world.kinesis.split(STREAM, SHARD)
    await world.clock.advance(60_000)
    const [child] = world.children.all
    expect(world.children.all).to.have.length(1)
    expect(child?.actions.filter(action => action === 'shardEnded')).to.have.length(3)
    expect(daemon.worker.health().shards.find(({ shardId }) => shardId === SHARD)?.state).to.equal('halted')
    expect(world.logger.text()).to.include('without a checkpoint of the end of the shard')
    expect((await world.checkpoints())[SHARD]).to.not.equal('SHARD_END')
    daemon.stop()
    await world.until(daemon.exitCode)
  })

  it('goes on with another child at the checkpoint when one dies, and leaves the other shards alone', async () => {
    const world = new MultilangWorld([{}, {}], 2)
    const daemon = world.run()
    await world.clock.advance(5_000)
    const [first, second] = world.children.all
    world.put('a', 'b', 'c', 'd', 'e', 'f')
    await world.clock.advance(3_000)
    first?.end(null, 'SIGSEGV')
    world.put('g', 'h', 'i', 'j', 'k', 'l')
    await world.clock.advance(20_000)
    const third = world.children.last
    expect(world.children.all).to.have.length(3)
    expect(second?.isOver).to.equal(false)
    const given = world.children.all.flatMap(child => child.given)
    expect(given.sort()).to.deep.equal([...'abcdefghijkl'])
    expect(third.heard[0]).to.include({ action: 'initialize' })
    expect(third.heard[0]?.sequenceNumber).to.match(/^\d+$/)
    expect(world.logger.text()).to.include('it was ended by SIGSEGV')
    daemon.stop()
    expect(await world.until(daemon.exitCode)).to.equal(0)
  })

  it('finds the record that kills children, by halves, and gives up that one alone', async () => {
    const world = new MultilangWorld([{ on: { processRecords: diesOf('poison'), checkpoint: answersAfterwards } }])
    const letters = memoryDeadLetters()
    const daemon = world.run(
      {},
      // biome-ignore lint/suspicious/noThenProperty: that is the name of the option
      { onProcessorError: { attempts: 3, then: 'dead-letter' }, deadLetters: letters.destination }
    )
    await world.clock.advance(5_000)
    world.put('a', 'b', 'poison', 'c', 'd')
    await world.clock.advance(120_000)
    expect(letters.texts).to.deep.equal(['poison'])
    expect(letters.reasons[0]).to.match(/child process \d+ during processRecords: it ended with exit code 1/)
    const survivors = world.children.last
    expect(survivors.given.slice(-2)).to.deep.equal(['c', 'd'])
    const settled = world.children.all.flatMap(({ heard }) =>
      heard.map(textsOf).filter(texts => !texts.includes('poison'))
    )
    expect([...new Set(settled.flat())].sort()).to.deep.equal(['a', 'b', 'c', 'd'])
    expect(daemon.worker.health().shards[0]?.state).to.equal('processing')
    daemon.stop()
    expect(await world.until(daemon.exitCode)).to.equal(0)
  })

  it('halts a shard whose record kills every child, where nothing else is said', async () => {
    const world = new MultilangWorld([{ on: { processRecords: diesOf('poison'), checkpoint: answersAfterwards } }])
    world.put('poison')
    const daemon = world.run({}, { onProcessorError: { attempts: 4 } })
    await world.clock.advance(60_000)
    expect(world.children.all).to.have.length(4)
    expect(daemon.worker.health().shards[0]?.state).to.equal('halted')
    daemon.stop()
    expect(await world.until(daemon.exitCode)).to.equal(0)
  })

  it('ends with 1 when a child dies, if that is wanted, as the daemon of Java does', async () => {
    const world = new MultilangWorld([{ on: { processRecords: diesOf('a') } }, {}], 1)
    world.put('a')
    const daemon = world.run({ onChildDeath: 'exit' })
    expect(await world.until(daemon.exitCode)).to.equal(1)
    expect(world.children.all).to.have.length(1)
    expect((await world.store.list()).leases[0]?.owner).to.equal(undefined)
  })

  it('takes it for no death if a child ends by itself once there is nothing more to be said', async () => {
    const ends =
      (action: string): Part =>
      (_, child) => {
        child.done(action)
        child.end(0)
      }
    const world = new MultilangWorld([{ on: { leaseLost: ends('leaseLost') } }])
    const daemon = world.run({ onChildDeath: 'exit' })
    await world.clock.advance(5_000)
    daemon.stop()
    expect(await world.until(daemon.exitCode)).to.equal(0)
    expect(world.children.last.actions).to.include('leaseLost')
  })

  it('ends with 1 when the program cannot be run, and says which option is wrong', async () => {
    const world = new MultilangWorld()
    const door = new SystemChildren(0)
    world.children.spawn = () => door.spawn(['no-such-program-anywhere'])
    const daemon = world.run()
    // The system takes real time to say that there is none.
    let exitCode: number | undefined
    daemon.exitCode.then(
      code => {
        exitCode = code
      },
      error => expect.fail(messageOf(error))
    )
    while (exitCode === undefined) await world.clock.advance(100)
    expect(exitCode).to.equal(1)
    expect(world.logger.text()).to.match(/Option executableName: is .* there is no program a-processor/)
  })

  it('replaces a child that says nothing for too long, and gives its records to the next', async () => {
    const world = new MultilangWorld([{ on: { processRecords: () => {} } }, {}])
    world.put('a')
    const daemon = world.run({ answerTimeoutMs: 10_000 })
    await world.clock.advance(30_000)
    const [first, second] = world.children.all
    expect(first?.signals).to.deep.equal(['SIGKILL'])
    expect(second?.given).to.deep.equal(['a'])
    expect(world.logger.text()).to.include('it has said nothing for 10000 ms')
    daemon.stop()
    await world.until(daemon.exitCode)
  })

  it('ends a child whose processRecords takes longer than a call may', async () => {
    const world = new MultilangWorld([{ on: { processRecords: () => {} } }, {}])
    world.put('a')
    const daemon = world.run({}, { onProcessorError: { timeoutMs: 20_000 } })
    await world.clock.advance(60_000)
    const [first, second] = world.children.all
    expect(first?.signals).to.deep.equal(['SIGKILL'])
    expect(second?.given).to.deep.equal(['a'])
    daemon.stop()
    await world.until(daemon.exitCode)
  })

  it('ends a child that does not end with its input', async () => {
    const world = new MultilangWorld([{ ignoresEnd: true, ignoresTerm: true }])
    const daemon = world.run()
    await world.clock.advance(5_000)
    daemon.stop()
    expect(await world.until(daemon.exitCode)).to.equal(0)
    expect(world.children.last.signals).to.deep.equal(['SIGTERM', 'SIGKILL'])
  })

  it('waits for nothing any more when it is hurried: children are killed, leases given back', async () => {
    const world = new MultilangWorld([{ on: { processRecords: () => {} } }])
    world.put('a')
    const daemon = world.run()
    await world.clock.advance(5_000)
    daemon.stop()
    await world.clock.advance(5_000)
    expect(world.children.last.isOver).to.equal(false)
    daemon.hurry()
    const atMs = world.clock.monotonicMs()
    expect(await world.until(daemon.exitCode)).to.equal(1)
    expect(world.clock.monotonicMs() - atMs).to.be.below(3_000)
    expect(world.children.last.signals).to.deep.equal(['SIGKILL'])
    expect((await world.store.list()).leases[0]?.owner).to.equal(undefined)
    expect(world.clock.sleeping, 'timers').to.equal(0)
  })

  it('serves several shards with one child that says it can, and tells it which', async () => {
    const world = new MultilangWorld([{ maxShards: 10 }], 4)
    const daemon = world.run({ shardsPerChild: 3 })
    await world.clock.advance(20_000)
    world.put('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h')
    await world.clock.advance(10_000)
    expect(world.children.all).to.have.length(2)
    const [first] = world.children.all
    const initialized = first?.heard.filter(({ action }) => action === 'initialize').map(({ shardId }) => shardId)
    expect(new Set(initialized).size).to.equal(3)
    expect(first?.heard.every(({ shardId }) => shardId !== undefined)).to.equal(true)
    expect(world.children.all.flatMap(child => child.given).sort()).to.deep.equal([...'abcdefgh'])
    daemon.stop()
    expect(await world.until(daemon.exitCode)).to.equal(0)
    expect(first?.actions.filter(action => action === 'leaseLost')).to.have.length(3)
  })

  it('never shares a child that does not say it can, nor shows it that others might', async () => {
    const world = new MultilangWorld([{}], 3)
    const daemon = world.run({ shardsPerChild: 8 })
    await world.clock.advance(20_000)
    world.put('a', 'b', 'c', 'd')
    await world.clock.advance(5_000)
    expect(world.children.all).to.have.length(3)
    const others = world.children.all.flatMap(({ heard }) => heard.filter(({ action }) => action !== 'initialize'))
    expect(others.filter(message => 'shardId' in message)).to.deep.equal([])
    daemon.stop()
    expect(await world.until(daemon.exitCode)).to.equal(0)
  })

  it('passes on what children write to their standard error', async () => {
    const world = new MultilangWorld([
      {
        on: {
          initialize: (_, child) => {
            child.stderr.write('careful\nthere is')
            child.stderr.write(' more\n')
            child.stderr.write('and what has no end')
            child.done('initialize')
          }
        }
      }
    ])
    const daemon = world.run()
    await world.clock.advance(10_000)
    expect(world.stderr).to.equal('careful\nthere is more\nand what has no end')
    daemon.stop()
    await world.until(daemon.exitCode)
  })

  it('reads past what is no message, wherever it stands', async () => {
    const noise = ['', 'hello', '{"action":"leaseLost"}', '[]', 'null', '{"action":"checkpoint","extra":1}', '{"a":']
    const world = new MultilangWorld([
      {
        on: {
          processRecords: (_, child) => {
            child.stdout.write(`${noise.join('\n')}\n${'x'.repeat(200_000)}\n`)
            child.say({ action: 'checkpoint', sequenceNumber: null })
          },
          checkpoint: (_, child) => {
            child.stdout.write('half a line and then\n')
            child.done('processRecords')
            child.stdout.write('after\n')
          }
        }
      }
    ])
    const sequenceNumbers = world.put('a')
    const daemon = world.run()
    await world.clock.advance(5_000)
    expect(await world.checkpoints()).to.deep.equal({ [SHARD]: sequenceNumbers[0] })
    world.put('b')
    await world.clock.advance(5_000)
    expect(world.children.last.given).to.deep.equal(['a', 'b'])
    expect(world.children.all).to.have.length(1)
    daemon.stop()
    await world.until(daemon.exitCode)
  })
})

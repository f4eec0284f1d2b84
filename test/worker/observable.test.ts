import { expect } from 'chai'
import { OptionError } from '../../src/model/errors.ts'
import { Observable } from '../../src/worker/observable.ts'
import { WorkerEmitter } from '../../src/worker/worker-emitter.ts'
import { collectingLogger } from '../support/collecting-logger.ts'

class Source extends Observable {
  readonly #emitter: WorkerEmitter

  constructor(logger = collectingLogger()) {
    const emitter = new WorkerEmitter(logger)
    super(emitter)
    this.#emitter = emitter
  }

  pause(shardId: string): void {
    this.#emitter.emit('shard:paused', { shardId, leaseKey: shardId, streamName: 'orders' })
  }
}

describe('Observable', () => {
  it('tells whoever listens, for as long as they do', () => {
    const source = new Source()
    const heard: string[] = []
    const always = ({ shardId }: { shardId: string }): unknown => heard.push(`always ${shardId}`)
    source.on('shard:paused', always).once('shard:paused', ({ shardId }) => void heard.push(`once ${shardId}`))
    source.pause('a')
    source.pause('b')
    source.off('shard:paused', always)
    source.pause('c')
    expect(heard).to.deep.equal(['always a', 'once a', 'always b'])
  })

  it('goes on where a listener throws, and logs that', () => {
    const logger = collectingLogger()
    const source = new Source(logger)
    const heard: string[] = []
    source.on('shard:paused', () => {
      throw new Error('in a listener')
    })
    source.on('shard:paused', ({ shardId }) => void heard.push(shardId))
    source.pause('a')
    expect(heard).to.deep.equal(['a'])
    expect(logger.text()).to.contain('in a listener')
  })

  it('refuses events that there are not, and listeners that are none', () => {
    const source = new Source()
    expect(() => source.on('shard:pause' as never, () => {})).to.throw(OptionError)
    expect(() => source.once('shard:paused', 5 as never)).to.throw(OptionError)
  })
})

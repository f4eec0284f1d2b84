import { expect } from 'chai'
import { ServiceError, TableMismatchError } from '../../src/model/errors.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { type PrepareOptions, prepareTables } from '../../src/worker/prepare-tables.ts'
import { collectingLogger } from '../support/collecting-logger.ts'

/** `failing` says what a step throws, by its name and how often it was called before. */
function aWorld(failing: (step: string, calls: number) => unknown = () => undefined) {
  const clock = new VirtualClock()
  const logger = collectingLogger()
  const steps: string[] = []
  const step = (name: string) => async (): Promise<void> => {
    const error = failing(name, steps.filter(each => each === name).length)
    steps.push(name)
    if (error !== undefined) throw error
  }
  const options = {
    syncer: { find: step('find'), open: step('open') },
    ports: { store: { prepare: step('leases') }, control: { prepare: step('control') } },
    ...{ clock, random: seededRandom(1), logger }
  } as unknown as PrepareOptions
  const aborting = new AbortController()
  let outcome: unknown
  const begin = (): void => {
    prepareTables(options, aborting.signal).then(
      () => {
        outcome = 'prepared'
      },
      error => {
        outcome = error
      }
    )
  }
  return { clock, logger, steps, aborting, begin, outcome: () => outcome }
}

const passing = new ServiceError('other', 'busy', { retryable: true })

describe('prepareTables', () => {
  it('finds the stream before it makes a table, and reads what is there last', async () => {
    const { clock, steps, begin, outcome } = aWorld()
    begin()
    await clock.settle()
    expect(outcome()).to.equal('prepared')
    expect(steps).to.deep.equal(['find', 'leases', 'control', 'open'])
  })

  it('leaves no table behind if there is no such stream', async () => {
    const missing = new ServiceError('other', 'no such stream', { retryable: false })
    const { clock, steps, begin, outcome } = aWorld(step => (step === 'find' ? missing : undefined))
    begin()
    await clock.advance(60_000)
    expect(outcome()).to.equal(missing)
    expect(steps).to.deep.equal(['find'])
  })

  it('tries each step again that fails in a way that passes, and logs that', async () => {
    const { clock, steps, logger, begin, outcome } = aWorld((step, calls) =>
      step !== 'find' && calls < 3 ? passing : undefined
    )
    begin()
    await clock.advance(120_000)
    expect(outcome()).to.equal('prepared')
    expect(steps).to.have.length(1 + 3 * 4)
    expect(logger.lines).to.have.length(9)
    expect(logger.lines[0]).to.deep.include({ level: 'warn' })
    expect(logger.lines[0]?.fields).to.include({ what: 'prepare the lease table' })
  })

  it('gives up after a while, and at once where it would not help', async () => {
    const { clock, steps, begin, outcome } = aWorld(step => (step === 'leases' ? passing : undefined))
    begin()
    await clock.advance(600_000)
    expect(outcome()).to.equal(passing)
    expect(steps).to.have.length(1 + 8)

    const mismatch = new TableMismatchError('another stream')
    const other = aWorld(step => (step === 'open' ? mismatch : undefined))
    other.begin()
    await other.clock.settle()
    expect(other.outcome()).to.equal(mismatch)
  })

  it('ends when it is told to', async () => {
    const { clock, steps, aborting, begin, outcome } = aWorld(step => (step === 'control' ? passing : undefined))
    begin()
    await clock.settle()
    aborting.abort(new Error('stopped'))
    await clock.advance(60_000)
    expect(outcome()).to.have.property('message')
    expect(steps).to.deep.equal(['find', 'leases', 'control'])
  })
})

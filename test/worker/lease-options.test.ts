import { expect } from 'chai'
import type { TableBilling } from '../../src/leases/dynamo-lease-store.ts'
import { memoryControlStore } from '../../src/leases/memory-control-store.ts'
import { memoryLeaseStore } from '../../src/leases/memory-lease-store.ts'
import { OptionError } from '../../src/model/errors.ts'
import { type LeaseOptions, resolveLeases } from '../../src/worker/lease-options.ts'

function errorOf(leases: unknown): OptionError {
  try {
    resolveLeases(leases as LeaseOptions, 'indexer')
  } catch (error) {
    expect(error).to.be.instanceOf(OptionError)
    return error as OptionError
  }
  throw new Error(`Not refused: ${JSON.stringify(leases)}`)
}

/** Options with one at a path below `leases`, such as `billing.mode`. */
function withOption(path: string, value: unknown): unknown {
  return path.split('.').reduceRight<unknown>((inner, name) => ({ [name]: inner }), value)
}

/** Path below `leases`, wrong value, how the message shows it, what it says was expected. */
const WRONG: readonly (readonly [string, unknown, string, string])[] = [
  ['tableName', 'a b', '"a b"', '3 to 255'],
  ['tableName', null, 'null', '3 to 255'],
  ['controlTableName', 'ab', '"ab"', '3 to 255'],
  ['controlTableName', null, 'null', '3 to 255'],
  ['controlTableName', 'indexer', '"indexer"', 'another name than that of the lease table'],
  ['durationMs', 999, '999', '1,000 to 600,000 milliseconds'],
  ['durationMs', 600_001, '600001', '1,000 to 600,000 milliseconds'],
  ['durationMs', 1_000.5, '1000.5', 'whole number'],
  ['durationMs', Number.POSITIVE_INFINITY, 'Infinity', '1,000 to 600,000 milliseconds'],
  ['maxLeases', 0, '0', 'or Infinity'],
  ['maxLeases', -1, '-1', 'from 1'],
  ['maxLeases', '3', '"3"', 'whole number'],
  ['capacity', 0, '0', '0.01 to 1,000'],
  ['capacity', 0.009, '0.009', '0.01 to 1,000'],
  ['capacity', 1_000.1, '1000.1', '0.01 to 1,000'],
  ['capacity', Number.NaN, 'NaN', '0.01 to 1,000'],
  ['capacity', Number.POSITIVE_INFINITY, 'Infinity', '0.01 to 1,000'],
  ['capacity', '2', '"2"', 'a number'],
  ['capacity', null, 'null', 'a number'],
  ['balance', 'load', '"load"', "'count' or 'weight'"],
  ['generation', -1, '-1', 'from 0'],
  ['generation', 1.5, '1.5', 'whole number'],
  ['generation', 2 ** 53, '9007199254740992', 'from 0'],
  ['mode', 'both', '"both"', "'solo' or 'mixed'"],
  ['heartbeat', 'process', '"process"', "'thread' or 'main'"],
  ['billing', 'on-demand', '"on-demand"', 'an object'],
  ['billing.mode', 'free', '"free"', "'on-demand' or 'provisioned'"],
  ['billing.units', 5, 'is not known (it is 5)', 'readCapacity'],
  ['tags', null, 'null', 'an object of strings'],
  ['tags', ['a'], 'an array', 'an object of strings'],
  ['tags', 'team', '"team"', 'an object of strings'],
  ['tags.team', 7, '7', 'a string'],
  ['tags', { '': 'x' }, 'without a name', '1 to 128 characters'],
  ['deletionProtection', 'yes', '"yes"', 'true or false'],
  ['pointInTimeRecovery', 1, '1', 'true or false'],
  ['store', {}, 'an object', 'a lease store'],
  ['store', null, 'null', 'a lease store'],
  ['controlStore', {}, 'an object', 'a control store'],
  ['controlStore', memoryLeaseStore(), 'an object', 'without a method: join, beat'],
  ['duration', 5, 'is not known (it is 5)', 'durationMs']
]

describe('resolveLeases', () => {
  for (const [path, value, shown, expected] of WRONG) {
    it(`refuses leases.${path}: ${shown}, with the name, the value and what was expected`, () => {
      const error = errorOf(withOption(path, value))
      expect(error.option).to.equal(`leases.${path}`)
      expect(error.message).to.include(path).and.include(shown).and.include(expected)
    })
  }

  it('refuses what is no object', () => {
    for (const leases of [null, [], 'app', 7]) expect(errorOf(leases).option).to.equal('leases')
  })

  it('fills in the defaults', () => {
    const defaults = {
      tableName: 'indexer',
      controlTableName: 'millrace-control',
      durationMs: 10_000,
      maxLeases: Number.POSITIVE_INFINITY,
      capacity: 1,
      balance: 'count',
      generation: 0,
      mode: 'solo',
      heartbeat: 'thread',
      deletionProtection: false,
      pointInTimeRecovery: false
    }
    for (const leases of [undefined, {}]) expect(resolveLeases(leases, 'indexer')).to.deep.equal(defaults)
  })

  it('keeps what is given, at both ends of every range', () => {
    const least = { durationMs: 1_000, maxLeases: 1, capacity: 0.01, generation: 0 }
    const most = { durationMs: 600_000, maxLeases: 1_000_000, capacity: 1_000, generation: 2 ** 53 - 1 }
    for (const numbers of [least, most]) expect(resolveLeases(numbers, 'indexer')).to.include(numbers)
    const words = { balance: 'weight', mode: 'mixed', heartbeat: 'main', deletionProtection: true } as const
    expect(resolveLeases(words, 'indexer')).to.include(words)
    const tags = { team: 'a' }
    const named = { tableName: 'leases', controlTableName: 'control', pointInTimeRecovery: true, tags }
    expect(resolveLeases(named, 'indexer')).to.include(named)
  })

  it('does not mistake the name of the application for that of the lease table where that has another', () => {
    const names = { tableName: 'leases', controlTableName: 'indexer' }
    expect(resolveLeases(names, 'indexer')).to.include(names)
    expect(errorOf({ tableName: 'millrace-control' }).option).to.equal('leases.controlTableName')
    expect(() => resolveLeases(undefined, 'millrace-control')).to.throw(OptionError, 'leases.controlTableName')
  })

  describe('billing', () => {
    it('has capacities only where it is provisioned', () => {
      const resolved = (billing?: object) =>
        resolveLeases({ ...(billing && { billing: billing as TableBilling }) }, 'indexer').billing
      expect(resolved()).to.equal(undefined)
      expect(resolved({ mode: 'on-demand' })).to.deep.equal({ mode: 'on-demand' })
      expect(resolved({ mode: 'provisioned' })).to.deep.equal({
        mode: 'provisioned',
        readCapacity: 10,
        writeCapacity: 10
      })
      expect(resolved({ mode: 'provisioned', readCapacity: 1, writeCapacity: 40_000 })).to.deep.equal({
        mode: 'provisioned',
        readCapacity: 1,
        writeCapacity: 40_000
      })
      for (const billing of [{ readCapacity: 5 }, { mode: 'on-demand', writeCapacity: 5 }]) {
        const { option, message } = errorOf({ billing })
        expect(option).to.match(/^leases\.billing\.(read|write)Capacity$/)
        expect(message).to.include("'provisioned'")
      }
    })

    it('refuses capacities that are none', () => {
      for (const wrong of [{ readCapacity: 0 }, { writeCapacity: 40_001 }]) {
        const [name] = Object.keys(wrong)
        expect(errorOf({ billing: { mode: 'provisioned', ...wrong } }).option).to.equal(`leases.billing.${name}`)
      }
    })
  })

  describe('stores', () => {
    it('takes the control store that a lease store brings, unless another is given', () => {
      const store = memoryLeaseStore()
      expect(resolveLeases({ store }, 'indexer')).to.include({ store, controlStore: store.control })
      const controlStore = memoryControlStore()
      expect(resolveLeases({ store, controlStore }, 'indexer')).to.include({ store, controlStore })
    })

    it('refuses a lease store that brings none where no other is given', () => {
      const { control: _, ...store } = memoryLeaseStore()
      const { option, message } = errorOf({ store })
      expect(option).to.equal('leases.controlStore')
      expect(message).to.include('is missing')
      const controlStore = memoryControlStore()
      expect(resolveLeases({ store, controlStore }, 'indexer')).to.include({ store, controlStore })
    })

    it('takes a control store beside the lease table in DynamoDB', () => {
      const controlStore = memoryControlStore()
      const leases = resolveLeases({ controlStore }, 'indexer')
      expect(leases).to.include({ controlStore })
      expect(leases).to.not.have.property('store')
    })

    it('asks a control store for every method that there is', () => {
      const controlStore = memoryControlStore()
      const methods = Object.entries(controlStore).filter(([, value]) => typeof value === 'function')
      expect(methods.length).to.be.greaterThan(12)
      for (const [name] of methods) {
        const { [name as 'join']: _, ...rest } = controlStore
        expect(errorOf({ controlStore: rest }).message, name).to.include(`(without a method: ${name})`)
      }
    })
  })
})

import { expect } from 'chai'
import { optionsOf } from '../../src/cli/module-rules.ts'
import { OptionError } from '../../src/model/errors.ts'
import { RecordProcessor } from '../../src/processor/record-processor.ts'

class Indexer extends RecordProcessor {
  processRecords(): void {}
}
const handler = (): void => {}
const refusal = (module: object): string => {
  try {
    return `none: ${Object.keys(optionsOf(module, 'm.ts')).join(', ')}`
  } catch (error) {
    expect(error).to.be.instanceOf(OptionError)
    return (error as Error).message
  }
}

describe('optionsOf', () => {
  it('finds a handler and each by their names, and a handler as the default export', () => {
    expect(optionsOf({ handler }, 'm.ts')).to.deep.equal({ handler })
    expect(optionsOf({ each: handler }, 'm.ts')).to.deep.equal({ each: handler })
    expect(optionsOf({ default: handler }, 'm.ts')).to.deep.equal({ handler })
    expect(optionsOf({ handler, somethingElse: () => {}, VALUE: 5 }, 'm.ts')).to.deep.equal({ handler })
  })

  it('finds what decodes records by its name, beside the code', () => {
    const decode = (): void => {}
    expect(optionsOf({ handler, decode }, 'm.ts')).to.deep.equal({ handler, decode })
    expect(optionsOf({ options: { each: handler }, decode }, 'm.ts')).to.deep.equal({ each: handler, decode })
    expect(refusal({ decode })).to.include('exports decode, expected')
  })

  it('finds a processor class under any name, and makes one for each shard', () => {
    for (const module of [
      { Indexer },
      { default: Indexer },
      { processor: Indexer },
      { options: { processor: Indexer } }
    ]) {
      const { processor } = optionsOf(module, 'm.ts') as { processor: () => RecordProcessor }
      expect(processor()).to.be.instanceOf(Indexer)
      expect(processor()).to.not.equal(processor())
    }
    const factory = (): Indexer => new Indexer()
    expect(optionsOf({ processor: factory }, 'm.ts')).to.deep.equal({ processor: factory })
    // The base class that a module may pass on is none.
    expect(optionsOf({ RecordProcessor, handler }, 'm.ts')).to.deep.equal({ handler })
  })

  it('refuses a class that is only half a processor, before it has a shard to fail at', () => {
    class Half {
      processRecords(): void {}
      initialize(): void {}
    }
    const message = 'Option file: class Half has no leaseLost, shardEnded, shutdownRequested, expected one that extends'
    expect(refusal({ Half })).to.include(message)
    expect(refusal({ options: { processor: Half } })).to.include('class processor has no leaseLost')
  })

  it('takes options beside the code, or with the code in them', () => {
    const options = { batch: { maxRecords: 5 } }
    expect(optionsOf({ handler, options }, 'm.ts')).to.deep.equal({ ...options, handler })
    expect(optionsOf({ options: { ...options, handler } }, 'm.ts')).to.deep.equal({ ...options, handler })
    expect(optionsOf({ default: { ...options, each: handler } }, 'm.ts')).to.deep.equal({ ...options, each: handler })
    expect(optionsOf({ options: { threads: {} } }, 'm.ts')).to.deep.equal({ threads: {} })
  })

  it('refuses more than one, and none', () => {
    expect(refusal({ handler, Indexer })).to.equal(
      'Option file: m.ts exports handler and Indexer, expected one of them'
    )
    expect(refusal({ handler, default: handler })).to.include('handler and default')
    expect(refusal({ handler, options: { each: handler } })).to.include('exports handler, and each in its options')
    expect(refusal({ other: handler })).to.match(/^Option file: m.ts exports other, expected a class with a method/)
    expect(refusal({})).to.include('exports nothing')
    expect(refusal({ options: 5, handler })).to.equal('Option options: of m.ts is number, expected an object')
  })
})

import { availableParallelism } from 'node:os'
import { expect } from 'chai'
import { OptionError } from '../../src/model/errors.ts'
import { resolveThreads } from '../../src/worker/thread-options.ts'

const module = new URL('./handler.js', import.meta.url)

describe('resolveThreads', () => {
  it('leaves a processor to the main thread by default', () => {
    const count = Math.max(1, availableParallelism() - 1)
    expect(resolveThreads({ module })).to.deep.equal({ module, count, data: undefined, maxHeapMb: undefined })
  })

  it('takes what it is told, the module also as text', () => {
    const data = { table: 'counts' }
    const resolved = resolveThreads({ module: module.href, count: 3, data, maxHeapMb: 64 })
    expect(resolved).to.deep.equal({ module, count: 3, data, maxHeapMb: 64 })
    expect(resolved.data).to.not.equal(data)
  })

  for (const [given, option, problem] of [
    [undefined, 'threads.module', /is missing, expected a URL of a file/],
    [{ module: './handler.js' }, 'threads.module', /is "\.\/handler\.js", expected a URL of a file, such as new URL/],
    [{ module: new URL('https://example.com/x.js') }, 'threads.module', /is "https:\/\/example\.com\/x\.js", expected/],
    [{ module: () => {} }, 'threads.module', /is a function, expected/],
    [{ module, count: 0 }, 'threads.count', /is 0, expected a whole number from 1 to 1,?024/],
    [{ module, maxHeapMb: 15 }, 'threads.maxHeapMb', /is 15, expected a whole number from 16/],
    [
      { module, data: { socket: () => {} } },
      'threads.data',
      /cannot be given to another thread: .*could not be cloned/
    ],
    [{ module, threads: 4 }, 'threads.threads', /is not known/]
  ] as const) {
    it(`refuses ${option} if it ${problem.source}`, () => {
      expect(() => resolveThreads(given as never))
        .to.throw(OptionError, problem)
        .with.property('option', option)
    })
  }
})

import { expect } from 'chai'
import { OptionError, RecordProcessor, Worker, type WorkerOptions } from '../../src/index.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { resolveOptions } from '../../src/worker/options.ts'

const NOW_MS = 1_700_000_000_000
const ARN = 'arn:aws:kinesis:eu-west-1:123456789012:stream/orders'
const handler = (): void => {}

function resolve(options: object) {
  return resolveOptions({ applicationName: 'app', handler, ...options } as WorkerOptions, seededRandom(1), NOW_MS)
}

async function listed(options: object) {
  return (await resolve(options).streams?.list(NOW_MS)) ?? []
}

function refused(options: object): string {
  try {
    resolve(options)
  } catch (error) {
    if (error instanceof OptionError) return error.message
    throw error
  }
  return 'not refused'
}

class Processor extends RecordProcessor {
  override processRecords(): void {}
}

describe('streams', () => {
  it('have the start position, the consumer and the code of the worker, or their own', async () => {
    const own = (): Processor => new Processor()
    const streams = [
      { streamName: 'a' },
      { streamArn: ARN, startAt: 'TRIM_HORIZON', retrieval: { consumerName: 'special' }, processor: own }
    ]
    const [a, b] = await listed({ streams, retrieval: { mode: 'fan-out' } })
    expect(a).to.deep.include({ stream: { streamName: 'a' }, startAt: 'LATEST', consumer: { consumerName: 'app' } })
    expect(b).to.deep.include({
      ...{ stream: { streamArn: ARN }, startAt: 'TRIM_HORIZON', consumer: { consumerName: 'special' } }
    })
    expect(b?.code?.userCode).to.deep.equal({ makeProcessor: own })
    expect(resolve({ streams, retrieval: { mode: 'fan-out' } }).stream).to.equal(undefined)
  })

  it('may be a function, which is asked each time', async () => {
    let names = ['a']
    const { streams } = resolve({ streams: { list: async () => names.map(streamName => ({ streamName })) } })
    expect(await streams?.list(NOW_MS)).to.have.lengthOf(1)
    names = []
    expect(await streams?.list(NOW_MS)).to.have.lengthOf(0)
    expect([streams?.everyMs, streams?.removed]).to.deep.equal([60_000, 'keep'])
  })

  it('need no code for all if each has its own', async () => {
    const [entry] = await listed({ handler: undefined, streams: [{ streamName: 'a', each: () => {} }] })
    expect(entry?.code?.userCode).to.have.property('lanes')
  })

  const A = { streamName: 'a' }
  const table: readonly (readonly [string, object, string])[] = [
    ['a stream beside them', { streamName: 'x', streams: [A] }, 'Option streamName: is "x" beside streams'],
    [
      'onRecreatedStream',
      { onRecreatedStream: 'refuse', streams: [A] },
      'Option onRecreatedStream: is "refuse" beside'
    ],
    ['none', { streams: [] }, 'Option streams: is empty, expected at least one'],
    ['what is no list', { streams: { list: 5 } }, 'Option streams.list: is 5, expected a list of streams'],
    ['the same one twice', { streams: [A, A] }, 'Option streams[1]: is "a" again'],
    ['one without a name', { streams: [{}] }, 'Option streams[0].streamName: is missing'],
    ['one with two names', { streams: [{ ...A, streamArn: ARN }] }, 'Option streams[0].streamName: is "a" beside'],
    ['an ARN as a name', { streams: [{ streamName: ARN }] }, 'Option streams[0].streamName: is "arn:'],
    ['an unknown option', { streams: [{ ...A, start: 5 }] }, 'Option streams[0].start: is not known'],
    ['a start in the future', { streams: [{ ...A, startAt: new Date(NOW_MS + 1) }] }, 'Option streams[0].startAt: is'],
    ['two kinds of code', { streams: [{ ...A, handler, each: handler }] }, 'Option streams[0].each: is given beside'],
    ['a class', { streams: [{ ...A, processor: Processor }] }, 'Option streams[0].processor: is a class'],
    ['no code at all', { handler: undefined, streams: [A] }, 'Option streams[0].handler: is missing'],
    [
      'a consumer for polling',
      { streams: [{ ...A, retrieval: { consumerName: 'x' } }] },
      'Option streams[0].retrieval.consumerName: is "x", expected only beside mode \'fan-out\''
    ],
    [
      'too short a pause',
      { streams: { list: [A], everyMs: 5 } },
      'Option streams.everyMs: is 5, expected a whole number'
    ],
    [
      'an unknown policy',
      { streams: { list: [A], whenRemoved: 'drop' } },
      'Option streams.whenRemoved: is "drop", expected \'keep\''
    ],
    [
      'a policy without a time',
      { streams: { list: [A], whenRemoved: {} } },
      'Option streams.whenRemoved.forgetAfterMs: is missing'
    ],
    [
      'a policy for what is no list',
      { streams: { list: [A], whenRemoved: { forgetAfterMs: 0, only: 'a' } } },
      'Option streams.whenRemoved.only: is "a", expected a list of streams'
    ]
  ]
  for (const [what, options, message] of table) {
    it(`refuse ${what}`, () => expect(refused(options)).to.include(message))
  }

  it('refuse what a function returns, naming the place', async () => {
    const { streams } = resolve({ streams: { list: () => [A, {}] } })
    const error = await streams?.list(NOW_MS).catch((failure: unknown) => failure)
    expect(error).to.be.instanceOf(OptionError).with.property('message').that.includes('streams.list()[1].streamName')
  })

  it('are checked by the compiler', () => {
    const common = { applicationName: 'app' }
    const given: readonly WorkerOptions[] = [
      { ...common, streams: [A], handler },
      { ...common, streams: [{ ...A, handler }] },
      { ...common, streams: { list: async () => [A], whenRemoved: { forgetAfterMs: 5 } }, each: handler },
      {
        ...common,
        streams: [
          { ...A, each: handler },
          {
            streamArn: ARN,
            processor: stream => {
              expect(stream).to.have.property('streamName')
              return new Processor()
            }
          }
        ]
      },
      // @ts-expect-error one of streamName and streams
      { ...common, ...A, streams: [A], handler },
      // @ts-expect-error code for all, or for each
      { ...common, streams: [A] },
      // @ts-expect-error one name for a stream
      { ...common, streams: [{ ...A, streamArn: ARN }], handler },
      // @ts-expect-error one kind of code for a stream
      { ...common, streams: [{ ...A, handler, each: handler }] },
      // @ts-expect-error threads are for all streams
      { ...common, streams: [{ ...A, threads: { module: 'x' } }] }
    ]
    expect(given).to.have.lengthOf(9)
    expect(() => new Worker({ ...common, streams: [A], handler, kinesis: { region: 'eu-west-1' } })).to.not.throw()
  })
})

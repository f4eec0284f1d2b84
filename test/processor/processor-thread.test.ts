import { MessageChannel } from 'node:worker_threads'
import { expect } from 'chai'
import { serveProcessors } from '../../src/processor/processor-thread.ts'
import type { FromThread, ToThread } from '../../src/processor/thread-messages.ts'

/** Serves a port here, and says this to it: the first thing that it answers. */
async function answerTo(module: string): Promise<FromThread> {
  const [line, aborts] = [new MessageChannel(), new MessageChannel()]
  serveProcessors(line.port2, undefined)
  const answer = new Promise<FromThread>(resolve => line.port1.once('message', resolve))
  const notes = new Int32Array(new SharedArrayBuffer(8))
  const load: ToThread = { kind: 'load', module, aborts: aborts.port2, notes }
  line.port1.postMessage(load, [aborts.port2])
  const call: ToThread = { kind: 'call', call: 1, processor: 1, made: { method: 'make' }, waits: false }
  line.port1.postMessage(call)
  const answered = await answer
  line.port1.close()
  aborts.port1.close()
  return answered
}

const source = (text: string): string => `data:text/javascript,${encodeURIComponent(text)}`

describe('serveProcessors', () => {
  it('makes calls wait until the module is loaded', async () => {
    const slow = 'await new Promise(resolve => setImmediate(resolve)); export const handler = () => {}'
    expect(await answerTo(source(slow))).to.deep.equal({
      ...{ kind: 'returned', call: 1 },
      value: { keepsNothing: true, decodes: false, loads: false, saves: false }
    })
  })

  it('says why it is of no use', async () => {
    const unusable = await answerTo(source('export const nothing = 1'))
    expect(unusable)
      .to.have.nested.property('error.message')
      .that.matches(/exports neither a handler nor a processor/)
    const failing = await answerTo(source('throw new RangeError("no")'))
    expect(failing).to.have.nested.property('error.cause.type', 'RangeError')
    expect(failing)
      .to.have.nested.property('error.message')
      .that.matches(/is "data:.*cannot be loaded: no$/)
  })
})

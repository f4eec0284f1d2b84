// What runs in a thread of a pool: loads the user's module and does as it is told. Loading this file in a worker thread
// starts it.
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import type { WithinTrace } from '../metrics/tracing.ts'
import { messageOf, OptionError } from '../model/errors.ts'
import { systemClock } from '../runtime/clock.ts'
import { ThreadDecoding } from './thread-decoding.ts'
import { sentError } from './thread-errors.ts'
import { decodeIn, processorMaker, ThreadHost } from './thread-host.ts'
import { ThreadNotes } from './thread-memory.ts'
import type { FromThread, ToThread } from './thread-messages.ts'

/**
 * Serves the main thread on `port`. The first message says which module to load; what comes meanwhile waits for it.
 *
 * @param data what the module is given
 */
export function serveProcessors(port: MessagePort, data: unknown): void {
  let host: Promise<ThreadHost | undefined> | undefined
  // What cannot be read would never be answered: better that the thread ends, and its shards begin anew.
  port.on('messageerror', error => {
    throw error
  })
  port.on('message', (message: ToThread) => {
    if (message.kind === 'load' && host === undefined) {
      host = loadHost(port, message, data).catch(error => {
        const unusable: FromThread = { kind: 'unusable', error: sentError(error) }
        port.postMessage(unusable)
        return undefined
      })
    } else void host?.then(loaded => loaded?.hear(message))
  })
}

async function loadHost(
  port: MessagePort,
  { module: href, tracing, aborts, notes }: Extract<ToThread, { kind: 'load' }>,
  data: unknown
): Promise<ThreadHost> {
  let module: object
  try {
    module = await import(href)
  } catch (cause) {
    const problem = `is ${JSON.stringify(href)}, which cannot be loaded: ${messageOf(cause)}`
    throw new OptionError('threads.module', problem, { cause })
  }
  const within = tracing === undefined ? undefined : await loadTracing(tracing)
  const [make, decode] = [processorMaker(module, data), decodeIn(module)]
  const makeDecoding = decode && (() => new ThreadDecoding(decode, systemClock))
  return new ThreadHost({ port, aborts, notes: new ThreadNotes(notes), make, makeDecoding, within })
}

/** After the user's module, which sets up what makes spans here. */
async function loadTracing(href: string): Promise<WithinTrace> {
  try {
    const { within } = (await import(href)) as { readonly within: WithinTrace }
    return within
  } catch (cause) {
    throw new OptionError('tracing', `cannot be loaded in a thread, from ${href}: ${messageOf(cause)}`, { cause })
  }
}

if (parentPort !== null) serveProcessors(parentPort, workerData)

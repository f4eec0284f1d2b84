// Waiting for work only as long as a signal allows. The work itself goes on.
import { setMaxListeners } from 'node:events'

/** Resolves as `work` does, unless `signal` aborts first: then rejects with its reason. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason)
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}

/**
 * Runs `work` with a signal of its own, which aborts with the first of `sources` that does. For signals that live long: what
 * is hung on to the one given to `work` is let go of with it.
 */
export async function withSignal<T>(
  sources: readonly AbortSignal[],
  work: (signal: AbortSignal) => T | Promise<T>
): Promise<T> {
  const own = new AbortController()
  const undo = sources.map(source => {
    const forward = (): void => own.abort(source.reason)
    if (source.aborted) forward()
    else source.addEventListener('abort', forward, { once: true })
    return () => source.removeEventListener('abort', forward)
  })
  try {
    return await work(own.signal)
  } finally {
    for (const remove of undo) remove()
  }
}

/**
 * A signal that aborts with the first of `sources` that does, to which any number may listen. For sources that do not outlive what
 * it is for: it stays hung on to them. `AbortSignal.any` would keep everything that listens alive until it aborts, be it for ever.
 */
export function anyOf(sources: readonly AbortSignal[]): AbortSignal {
  const own = new AbortController()
  for (const source of sources) {
    const forward = (): void => own.abort(source.reason)
    if (source.aborted) forward()
    else source.addEventListener('abort', forward, { once: true })
  }
  return forMany(own.signal)
}

/** Resolves once `signal` has aborted. */
export function whenAborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

/** Lets any number listen to a signal. Node takes more than ten for a leak, and warns; these come and go with calls. */
export function forMany(signal: AbortSignal): AbortSignal {
  setMaxListeners(0, signal)
  return signal
}

/** Resolves once one of the signals has aborted. Nothing stays hung on to the others. */
export async function firstAborted(signals: readonly AbortSignal[]): Promise<void> {
  await withSignal(signals, whenAborted)
}

/** Lets many calls at once listen to a signal, which Node.js otherwise takes for a leak and warns of on standard error. */
export function allowManyListeners(signal: AbortSignal | undefined): void {
  if (signal !== undefined) setMaxListeners(0, signal)
}

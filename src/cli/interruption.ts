// Ctrl-C and SIGTERM: the first asks a command to end, the second ends it.
import type { CliPorts, StopSignal } from './cli-ports.ts'
import { EXIT } from './exit-codes.ts'

/**
 * Signals that come together are one: a terminal sends Ctrl-C to every process in it, and npm and npx, which got it as well, pass
 * it on to the program that they run. Milliseconds.
 */
const TOGETHER_MS = 500

/**
 * Runs `work` with a signal that aborts when somebody asks the program to end. Whoever asks twice does not want to wait: then the
 * process ends at once.
 *
 * @param asked told of the first request
 */
export async function interruptible<T>(
  { onSignal, exit, clock }: Pick<CliPorts, 'onSignal' | 'exit' | 'clock'>,
  work: (signal: AbortSignal) => Promise<T>,
  asked: (signal: StopSignal) => void = () => {}
): Promise<T> {
  const asking = new AbortController()
  let askedAtMs = Number.NaN
  const stopListening = onSignal(name => {
    if (asking.signal.aborted) {
      const isAnother = clock.monotonicMs() - askedAtMs >= TOGETHER_MS
      return isAnother ? exit(name === 'SIGINT' ? EXIT.interrupted : EXIT.terminated) : undefined
    }
    askedAtMs = clock.monotonicMs()
    asked(name)
    asking.abort(new Error(`The command was asked to end (${name})`))
  })
  try {
    return await work(asking.signal)
  } finally {
    stopListening()
  }
}

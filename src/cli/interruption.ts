// Ctrl-C and SIGTERM: the first asks a command to end, the second ends it.
import { OperationError } from '../model/errors.ts'
import { allowManyListeners } from '../runtime/abort.ts'
import type { CliPorts, StopSignal } from './cli-ports.ts'
import { EXIT } from './exit-codes.ts'

/** A command did not come to its end because it was asked not to. What is left of it, if anything is, stands in the message. */
export class Interruption extends Error {
  /** What the program ends with. */
  readonly exitCode: number

  constructor(name: StopSignal, cause: unknown) {
    super(cause instanceof OperationError ? cause.message : 'Interrupted', { cause })
    this.exitCode = codeOf(name)
  }
}

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
 * @throws Interruption in the place of whatever `work` rejects with once it was asked to end
 */
export async function interruptible<T>(
  { onSignal, exit, clock }: Pick<CliPorts, 'onSignal' | 'exit' | 'clock'>,
  work: (signal: AbortSignal) => Promise<T>,
  asked: (signal: StopSignal) => void = () => {}
): Promise<T> {
  const asking = new AbortController()
  allowManyListeners(asking.signal)
  let askedAtMs = Number.NaN
  let asker: StopSignal | undefined
  const stopListening = onSignal(name => {
    if (asking.signal.aborted) {
      const isAnother = clock.monotonicMs() - askedAtMs >= TOGETHER_MS
      return isAnother ? exit(codeOf(name)) : undefined
    }
    askedAtMs = clock.monotonicMs()
    asker = name
    asked(name)
    asking.abort(new OperationError('interrupted', 'Interrupted'))
  })
  try {
    return await work(asking.signal)
  } catch (error) {
    throw asker === undefined || error instanceof Interruption ? error : new Interruption(asker, error)
  } finally {
    stopListening()
  }
}

function codeOf(name: StopSignal): number {
  return name === 'SIGINT' ? EXIT.interrupted : EXIT.terminated
}

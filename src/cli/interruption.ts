// Ctrl-C and SIGTERM: the first asks a command to end, the second ends it.
import type { CliPorts, StopSignal } from './cli-ports.ts'
import { EXIT } from './exit-codes.ts'

/**
 * Runs `work` with a signal that aborts when somebody asks the program to end. Whoever asks twice does not want to wait: then the
 * process ends at once.
 *
 * @param asked told of the first request
 */
export async function interruptible<T>(
  { onSignal, exit }: Pick<CliPorts, 'onSignal' | 'exit'>,
  work: (signal: AbortSignal) => Promise<T>,
  asked: (signal: StopSignal) => void = () => {}
): Promise<T> {
  const asking = new AbortController()
  const stopListening = onSignal(name => {
    if (asking.signal.aborted) return exit(name === 'SIGINT' ? EXIT.interrupted : EXIT.terminated)
    asked(name)
    asking.abort(new Error(`The command was asked to end (${name})`))
  })
  try {
    return await work(asking.signal)
  } finally {
    stopListening()
  }
}

// What commands that change a fleet have in common: they ask first, tell how far they are, can be interrupted, and say what was done.
import { workerIdOf } from '../leases/session-id.ts'
import type { Fleet } from '../operate/fleet.ts'
import type { OperationOptions, OperationProgress } from '../operate/fleet-context.ts'
import type { CommandContext } from './command.ts'
import { confirmed } from './confirmation.ts'
import { EXIT } from './exit-codes.ts'
import { type FleetFlags, withFleet } from './fleet-flags.ts'
import { interruptible } from './interruption.ts'
import { plural, shortShard } from './text-rules.ts'
import { durationMs } from './value-rules.ts'

/** The flags of what changes a fleet. */
export interface OperationFlags extends FleetFlags {
  readonly timeout?: string
  readonly yes?: boolean
}

/** What was done: for a program, and for a person. */
export interface Done {
  readonly result: object
  readonly lines: readonly string[]
}

/**
 * Asks, does it, and says what was done.
 *
 * @param what is going to be done, in a sentence; `undefined`: nothing that has to be asked
 * @throws OptionError if flags are wrong, or nobody is there to be asked
 */
export async function operate(
  context: CommandContext,
  flags: OperationFlags,
  what: string | undefined,
  work: (fleet: Fleet, options: OperationOptions & { readonly signal: AbortSignal }) => Promise<Done>
): Promise<number> {
  const { ports, terminal } = context
  const timeoutMs = flags.timeout === undefined ? undefined : durationMs('--timeout', flags.timeout)
  return withFleet(context, flags, async fleet => {
    if (what !== undefined && !(await confirmed(context, what, flags))) {
      terminal.remark('Nothing was done.')
      return EXIT.failed
    }
    return interruptible(ports, async signal => {
      const options = { signal, onProgress: progressTeller(context), ...(timeoutMs !== undefined && { timeoutMs }) }
      const { result, lines } = await work(fleet, options)
      if (terminal.isJson) await terminal.json(result)
      else for (const line of lines) await terminal.line(line)
      return EXIT.ok
    })
  })
}

/** Tells a person how far an operation is, when that has changed. */
export function progressTeller({ terminal }: CommandContext): (progress: OperationProgress) => void {
  let told = ''
  return progress => {
    const text = inWords(progress)
    if (text === told) return
    told = text
    if (text !== '') terminal.remark(text)
  }
}

function inWords({ step, left, behind = '' }: OperationProgress): string {
  switch (step) {
    case 'queueing':
      return `waiting until ${behind} is over`
    case 'waiting':
      return left.length === 0
        ? 'waiting until the leader and its workers say that nobody claims them'
        : waitingFor(left)
    case 'writing':
      return `writing ${plural(left.length, 'lease')}`
    case 'done':
      return ''
  }
}

function waitingFor(left: OperationProgress['left']): string {
  const some = left.slice(0, 5).map(({ shardId, owner }) => {
    return owner === undefined ? shortShard(shardId) : `${shortShard(shardId)} (${workerIdOf(owner)})`
  })
  const more = left.length > 5 ? ` and ${left.length - 5} more` : ''
  return `waiting until ${left.length === 1 ? 'shard' : 'shards'} ${some.join(', ')}${more} ${left.length === 1 ? 'is' : 'are'} let go of`
}

// Dead letters for tests: say what matters, the rest is plausible. And a clock that does not wait between attempts.

import type { DeadLetterSource, FoundLetter } from '../../src/dead-letters/letter-source.ts'
import type { CallPorts } from '../../src/dead-letters/service-call.ts'
import type { DeadLetter } from '../../src/processor/dead-letter.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { seededRandom } from '../../src/runtime/random.ts'

/** A letter of the first shard of the stream `orders`. */
export function aLetter(with_: Partial<DeadLetter> = {}): DeadLetter {
  return {
    stream: 'orders',
    applicationName: 'billing',
    shardId: 'shardId-000000000000',
    sequenceNumber: '49600000000000000000000000000000000000000000000000000001',
    subSequenceNumber: 0,
    partitionKey: 'customer-7',
    data: Buffer.from('payload'),
    arrivedAtMs: 1_893_456_000_000,
    givenUpAtMs: 1_893_456_100_000,
    attempts: 10,
    error: { name: 'TypeError', message: 'no such customer' },
    ...with_
  }
}

/** Letters with sequence numbers of their own, from `first`. */
export function someLetters(count: number, with_: Partial<DeadLetter> = {}, first = 1): DeadLetter[] {
  return Array.from({ length: count }, (_, n) => aLetter({ sequenceNumber: String(first + n), ...with_ }))
}

/** As what is decoded: payloads compare as buffers. */
export function plain(letters: readonly DeadLetter[]): DeadLetter[] {
  return letters.map(letter => ({ ...letter, data: Buffer.from(letter.data) }))
}

/** Ports that wait for answers as long as usual, but not between attempts: those delays are noted. */
export function impatient(): CallPorts & { readonly delays: number[] } {
  const delays: number[] = []
  const sleep = async (ms: number, signal?: AbortSignal): Promise<void> => {
    if (ms >= 10_000 || ms === 0) return systemClock.sleep(ms, signal)
    delays.push(ms)
  }
  return { delays, clock: { ...systemClock, sleep }, random: seededRandom(1) }
}

/** A signal that never aborts. */
export function noAbort(): { signal: AbortSignal } {
  return { signal: new AbortController().signal }
}

/** All that a source finds. Each is settled with `isDone`, if that is given. */
export async function findAll(source: DeadLetterSource, isDone?: boolean): Promise<FoundLetter[]> {
  const all: FoundLetter[] = []
  for await (const found of source.letters(noAbort())) {
    all.push(found)
    if (isDone !== undefined) await found.settle(isDone)
  }
  return all
}

/** What a promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => new Error('nothing was thrown'),
    (error: Error) => error
  )
}

/** What a function throws. */
export function thrownBy(work: () => unknown): Error {
  try {
    work()
  } catch (error) {
    return error as Error
  }
  return new Error('nothing was thrown')
}

// Which payloads are intact aggregated records, by the MD5 that they end with: several at once where that is quicker,
// one by one with node:crypto otherwise.
import { hash } from 'node:crypto'
import { MESSAGE_AT } from './aggregated-record.ts'
import { DIGEST_BYTES, Md5Lanes } from './md5-lanes.ts'

/**
 * How many times the length of the longest message all of them together must have for four lanes to pay. One lane alone
 * runs at 0.8 times the speed of node:crypto, two lanes together at 1.6 times.
 */
const WORTHWHILE = 1.4

/** Checks the digests of a batch of payloads. Keeps what is costly to make; one is enough for a worker. */
export class MessageDigests {
  readonly #makeLanes: () => Md5Lanes | undefined
  #lanes: Md5Lanes | 'untried' | 'unavailable' = 'untried'
  #digests = new Uint8Array(0)

  /** @param makeLanes called once, when they would pay for the first time; where it gives nothing, node:crypto does all. */
  constructor(makeLanes: () => Md5Lanes | undefined = () => Md5Lanes.create()) {
    this.#makeLanes = makeLanes
  }

  /** The lanes, if WebAssembly has them. */
  get lanes(): Md5Lanes | undefined {
    if (this.#lanes === 'untried') this.#lanes = this.#makeLanes() ?? 'unavailable'
    return this.#lanes === 'unavailable' ? undefined : this.#lanes
  }

  /** For each payload, which has room for magic, message and digest, whether its digest is that of its message. */
  intact(payloads: readonly Uint8Array[]): readonly boolean[] {
    const intact = payloads.map(() => false)
    const longestFirst = [...payloads.keys()].sort((a, b) => lengthOf(payloads, b) - lengthOf(payloads, a))
    let alone = countAlone(longestFirst.map(index => lengthOf(payloads, index)))
    const lanes = payloads.length - alone > 1 ? this.lanes : undefined
    if (lanes === undefined) alone = payloads.length
    for (const index of longestFirst.slice(0, alone)) intact[index] = isIntact(payloads[index] as Uint8Array)
    if (lanes !== undefined) this.#checkTogether(lanes, payloads, longestFirst.slice(alone), intact)
    return intact
  }

  #checkTogether(
    lanes: Md5Lanes,
    payloads: readonly Uint8Array[],
    indices: readonly number[],
    intact: boolean[]
  ): void {
    const room = DIGEST_BYTES * indices.length
    if (this.#digests.length < room) this.#digests = new Uint8Array(2 * room)
    const digests = this.#digests
    const messages = indices.map(index => messageOf(payloads[index] as Uint8Array))
    lanes.hash(messages, digests)
    indices.forEach((index, i) => {
      intact[index] = endsWithDigest(payloads[index] as Uint8Array, at => digests[DIGEST_BYTES * i + at] as number)
    })
  }
}

function lengthOf(payloads: readonly Uint8Array[], index: number): number {
  return (payloads[index] as Uint8Array).length
}

/** How many of the longest messages would leave the other lanes without work for most of their length. */
function countAlone(longestFirst: readonly number[]): number {
  let rest = longestFirst.reduce((sum, length) => sum + length, 0)
  let count = 0
  for (const length of longestFirst) {
    if (rest >= WORTHWHILE * length) break
    rest -= length
    count++
  }
  return count
}

function isIntact(payload: Uint8Array): boolean {
  // As a text of one character a byte, because that is the quickest to get.
  const digest = hash('md5', messageOf(payload), 'latin1' as 'binary')
  return endsWithDigest(payload, at => digest.charCodeAt(at))
}

function endsWithDigest(payload: Uint8Array, byteAt: (at: number) => number): boolean {
  const end = payload.length - DIGEST_BYTES
  for (let i = 0; i < DIGEST_BYTES; i++) if (payload[end + i] !== byteAt(i)) return false
  return true
}

function messageOf(payload: Uint8Array): Uint8Array {
  return payload.subarray(MESSAGE_AT, payload.length - DIGEST_BYTES)
}

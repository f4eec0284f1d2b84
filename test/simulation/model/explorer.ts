// Explores every state that a model can get into, breadth first, so that the first violation found is one of the
// shortest. Knows nothing of leases.

/** Told of each step out of a state. `label` says what happened, `violation` what must never happen. */
export type TakeStep<S> = (to: S, label: string, violation?: string) => void

/** A system as states and the steps between them. Pure: the same state has the same steps, in the same order. */
export interface Model<S> {
  readonly name: string
  readonly initial: S
  /** A safe integer from 0 that no other state has. */
  fingerprint(state: S): number
  steps(state: S, take: TakeStep<S>): void
}

/** What must never happen, and how it comes about. */
export interface Violation {
  readonly what: string
  /** The steps that lead to it, from the initial state; the last one is the violation. */
  readonly trace: readonly string[]
}

/** What was explored. */
export interface Exploration {
  readonly name: string
  /** Different states visited. */
  readonly states: number
  /** Steps taken, those to states visited before included. */
  readonly transitions: number
  /** Every state up to so many steps away was visited, and every step out of all but the last of these. */
  readonly depth: number
  /** Whether no state is left: what holds up to `depth` holds at any depth. */
  readonly isExhausted: boolean
  readonly violation?: Violation
}

/** Numbers for texts, from 0: the same text has the same number. */
export class Numbers {
  readonly #byText = new Map<string, number>()

  get size(): number {
    return this.#byText.size
  }

  of(text: string): number {
    const known = this.#byText.get(text)
    if (known !== undefined) return known
    this.#byText.set(text, this.#byText.size)
    return this.#byText.size - 1
  }
}

/** Explores a model until nothing is left, all of `maxDepth` steps was seen, or something happens that must not. */
export function explore<S>(model: Model<S>, maxDepth: number): Exploration {
  const visited = new Visited()
  let frontier = [model.initial]
  let firstOfFrontier = 0
  let transitions = 0
  let depth = 0
  let found: { readonly at: number; readonly label: string; readonly what: string } | undefined
  visited.add(model.fingerprint(model.initial), -1)

  while (frontier.length > 0 && depth < maxDepth) {
    const next: S[] = []
    const firstOfNext = visited.size
    for (let index = 0; index < frontier.length && found === undefined; index++) {
      const at = firstOfFrontier + index
      model.steps(frontier[index] as S, (to, label, what) => {
        transitions += 1
        if (what !== undefined) found ??= { at, label, what }
        if (visited.add(model.fingerprint(to), at)) next.push(to)
      })
    }
    depth += 1
    if (found !== undefined) break
    frontier = next
    firstOfFrontier = firstOfNext
  }

  const isExhausted = frontier.length === 0
  const explored = { name: model.name, states: visited.size, transitions, depth, isExhausted }
  if (found === undefined) return explored
  const trace = [...retrace(model, visited.pathTo(found.at)), found.label]
  return { ...explored, violation: { what: found.what, trace } }
}

/** The labels of the steps along a path of fingerprints: only the fingerprints were kept. */
function retrace<S>(model: Model<S>, path: readonly number[]): string[] {
  let state = model.initial
  return path.slice(1).map(fingerprint => {
    let taken: { readonly to: S; readonly label: string } | undefined
    model.steps(state, (to, label) => {
      if (taken === undefined && model.fingerprint(to) === fingerprint) taken = { to, label }
    })
    if (taken === undefined) throw new Error(`${model.name}: no step leads to state ${fingerprint} a second time`)
    state = taken.to
    return taken.label
  })
}

/** The states visited, in the order of their discovery, each with the one it was found from. About 20 bytes a state. */
class Visited {
  size = 0
  #fingerprints = new Float64Array(1 << 10)
  #parents = new Int32Array(1 << 10)
  /** A hash table with open addressing: 1 + the index of a state, or 0. */
  #table = new Int32Array(1 << 12)

  /** Says whether the state is new. */
  add(fingerprint: number, parent: number): boolean {
    const slot = this.#slotOf(fingerprint)
    if (this.#table[slot] !== 0) return false
    if (this.size === this.#fingerprints.length) this.#grow()
    this.#fingerprints[this.size] = fingerprint
    this.#parents[this.size] = parent
    this.size += 1
    this.#table[slot] = this.size
    if (this.size * 2 > this.#table.length) this.#rehash()
    return true
  }

  /** Fingerprints from the initial state to the one at `index`. */
  pathTo(index: number): number[] {
    const path: number[] = []
    for (let at = index; at >= 0; at = this.#parents[at] as number) path.push(this.#fingerprints[at] as number)
    return path.reverse()
  }

  #slotOf(fingerprint: number): number {
    const mask = this.#table.length - 1
    const low = fingerprint % 0x1_0000_0000
    const high = (fingerprint - low) / 0x1_0000_0000
    const mixed = Math.imul(low ^ Math.imul(high, 0x9e37_79b1), 0x85eb_ca6b)
    let slot = (mixed ^ (mixed >>> 15)) & mask
    for (;;) {
      const entry = this.#table[slot] as number
      if (entry === 0 || this.#fingerprints[entry - 1] === fingerprint) return slot
      slot = (slot + 1) & mask
    }
  }

  #grow(): void {
    const fingerprints = new Float64Array(this.size * 2)
    fingerprints.set(this.#fingerprints)
    this.#fingerprints = fingerprints
    const parents = new Int32Array(this.size * 2)
    parents.set(this.#parents)
    this.#parents = parents
  }

  #rehash(): void {
    this.#table = new Int32Array(this.#table.length * 2)
    for (let index = 0; index < this.size; index++) {
      this.#table[this.#slotOf(this.#fingerprints[index] as number)] = index + 1
    }
  }
}

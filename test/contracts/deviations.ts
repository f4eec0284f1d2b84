// Checks that a service is known to fail: they hold that it still does, so that nobody goes on excusing what was mended.
import { AssertionError, expect } from 'chai'
import { ConsumerError } from '../../src/model/errors.ts'

/** Ids of the checks that a service is known to fail, and how it differs. */
export type Deviations = Readonly<Record<string, string>>

/** The tests of one contract on one service. */
export class DeviatingChecks {
  readonly #deviations: Deviations
  readonly #unknown: Set<string>

  constructor(deviations: Deviations) {
    this.#deviations = deviations
    this.#unknown = new Set(Object.keys(deviations))
  }

  /** A test that `run` passes; or, where the service is known to fail it, that it fails. */
  check(id: string, title: string, run: () => Promise<void>): void {
    this.#unknown.delete(id)
    const deviation = this.#deviations[id]
    if (deviation === undefined) it(`${title} [${id}]`, run)
    else it(`deviates: ${deviation} [${id}]`, () => stillFails(id, run))
  }

  /** A test that there is a check for every deviation. To be called after the last of them. */
  end(): void {
    it('declares deviations only of checks that exist', () => {
      expect([...this.#unknown]).to.deep.equal([])
    })
  }
}

async function stillFails(id: string, body: () => Promise<void>): Promise<void> {
  try {
    await body()
  } catch (error) {
    // Anything else has failed in the preparations, which says nothing about the service.
    if (error instanceof AssertionError || error instanceof ConsumerError) return
    throw error
  }
  throw new Error(`${id} no longer deviates: remove it from the deviations`)
}

// One thing that is done for each of several streams, at its own pace: a stream that takes long keeps the others waiting for no
// longer than they like, and is not begun with again before it is over.

/** What has come of one stream. */
export interface StreamTurn<Stream, Value> {
  readonly stream: Stream
  readonly value: Value
}

/** Something that is done for streams, again and again. */
export class StreamTurns<Stream, Value> {
  readonly #underWay = new Map<Stream, Promise<void>>()
  #over: StreamTurn<Stream, Value>[] = []
  #failures: unknown[] = []

  /**
   * Begins the turn of each of these streams that has none under way. Resolves once none of them has, and never rejects.
   *
   * @param turn is told which of the streams it is, from 0 on
   */
  async take(streams: readonly Stream[], turn: (stream: Stream, n: number) => Promise<Value>): Promise<void> {
    for (const [n, stream] of streams.entries()) {
      if (!this.#underWay.has(stream)) this.#underWay.set(stream, this.#run(stream, turn(stream, n)))
    }
    await Promise.all(streams.map(stream => this.#underWay.get(stream)))
  }

  /** What is over by now, and was not told of before. Throws what a turn has failed with. */
  done(): readonly StreamTurn<Stream, Value>[] {
    const [over, failures] = [this.#over, this.#failures]
    this.#over = []
    this.#failures = []
    if (failures.length > 0) throw failures[0]
    return over
  }

  async #run(stream: Stream, turn: Promise<Value>): Promise<void> {
    try {
      const value = await turn
      this.#over.push({ stream, value })
    } catch (error) {
      this.#failures.push(error)
    } finally {
      this.#underWay.delete(stream)
    }
  }
}

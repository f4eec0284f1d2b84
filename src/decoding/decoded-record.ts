// A record with what was decoded from it: the record that it was made of, and a value.
import { ConsumedRecord } from '../model/record.ts'

/** A record, and what its payload was decoded to. Keeps the record, and copies nothing of it. */
export class DecodedRecord<Value> extends ConsumedRecord<Value> {
  readonly #record: ConsumedRecord
  readonly #value: Value

  constructor(record: ConsumedRecord, value: Value) {
    super(record)
    this.#record = record
    this.#value = value
  }

  override get value(): Value {
    return this.#value
  }

  override get byteLength(): number {
    return this.#record.byteLength
  }

  override byteAt(index: number): number | undefined {
    return this.#record.byteAt(index)
  }

  /** The same record with keys and a payload of its own. The value is the same one. */
  override copy(): DecodedRecord<Value> {
    return new DecodedRecord(this.#record.copy(), this.#value)
  }
}

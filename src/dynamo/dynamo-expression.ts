// The expressions of DynamoDB: conditions and updates, put together from attributes. Knows nothing of what they are about.
import type { AttributeValue } from './dynamo-attribute.ts'

/** An item, as the document client takes it. */
export type Item = Record<string, AttributeValue>

/** Attributes by name. `undefined` is an attribute that is not there: DynamoDB knows no empty ones. */
export type Attributes = Readonly<Record<string, AttributeValue | undefined>>

/** A condition and what it refers to, as PutItem, UpdateItem and DeleteItem take them. */
export interface Condition {
  readonly ConditionExpression: string
  readonly ExpressionAttributeNames: Record<string, string>
  readonly ExpressionAttributeValues?: Item
}

/** The attributes that are there. */
export function present(attributes: Attributes): Item {
  const entries = Object.entries(attributes)
  return Object.fromEntries(entries.filter((entry): entry is [string, AttributeValue] => entry[1] !== undefined))
}

/** Collects the names and values that an expression refers to. No name is used bare, so none can be a reserved word. */
export class Expression {
  readonly #names: Record<string, string> = {}
  readonly #values: Item = {}

  /** An update that makes the attributes what they are here, and removes those that are `undefined`. */
  update(...changes: readonly Attributes[]): string {
    const sets: string[] = []
    const removes: string[] = []
    for (const [attribute, value] of changes.flatMap(attributes => Object.entries(attributes))) {
      const name = this.#name(attribute)
      if (value === undefined) removes.push(name)
      else sets.push(`${name} = ${this.#value(`:${attribute}`, value)}`)
    }
    const clauses = [sets.length > 0 && `SET ${sets.join(', ')}`, removes.length > 0 && `REMOVE ${removes.join(', ')}`]
    return clauses.filter(clause => clause !== false).join(' ')
  }

  /** That there is such an attribute. */
  exists(attribute: string): string {
    return `attribute_exists(${this.#name(attribute)})`
  }

  /** That there is no such attribute. */
  absent(attribute: string): string {
    return `attribute_not_exists(${this.#name(attribute)})`
  }

  /** That all of these attributes are what they are here, or absent where they are `undefined`. */
  are(attributes: Attributes): string {
    const each = Object.entries(attributes).map(([attribute, value]) => {
      if (value === undefined) return this.absent(attribute)
      return `${this.#name(attribute)} = ${this.#value(`:was_${attribute}`, value)}`
    })
    return each.join(' AND ')
  }

  /** That an attribute is less than `limit`. */
  isBelow(attribute: string, limit: number): string {
    return `${this.#name(attribute)} < ${this.#value(`:limit_${attribute}`, limit)}`
  }

  /** That an attribute is `most` or less. */
  isAtMost(attribute: string, most: number): string {
    return `${this.#name(attribute)} <= ${this.#value(`:most_${attribute}`, most)}`
  }

  /** That all of `parts` hold, with everything that has been referred to so far. */
  condition(...parts: readonly string[]): Condition {
    return {
      ConditionExpression: parts.join(' AND '),
      ExpressionAttributeNames: this.#names,
      ...(Object.keys(this.#values).length > 0 && { ExpressionAttributeValues: this.#values })
    }
  }

  #name(attribute: string): string {
    this.#names[`#${attribute}`] = attribute
    return `#${attribute}`
  }

  #value(placeholder: string, value: AttributeValue): string {
    this.#values[placeholder] = value
    return placeholder
  }
}

// What zod, valibot, arktype and others have in common: the interface of Standard Schema, version 1 (standardschema.dev), as far
// as it is needed to validate and to infer types. Types only.

/** A validator that follows Standard Schema, version 1. `Output`: what it makes of what it accepts. */
export interface StandardSchemaV1<Output = unknown> {
  /** What the validator can do. */
  readonly '~standard': StandardSchemaProps<Output>
}

/** What is behind `~standard`. */
export interface StandardSchemaProps<Output> {
  /** The version of the interface. */
  readonly version: 1
  /** The name of the library. */
  readonly vendor: string
  /** Judges a value, at once or by and by. */
  readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>
  /** Not there when the program runs. */
  readonly types?: { readonly input: unknown; readonly output: Output } | undefined
}

/** What a validator says: the value, perhaps changed, or what is wrong with it. */
export type SchemaResult<Output> = SchemaSuccess<Output> | SchemaFailure

/** A value that a validator accepts. */
export interface SchemaSuccess<Output> {
  /** What the validator has made of it. */
  readonly value: Output
  /** Nothing is wrong. */
  readonly issues?: undefined
}

/** A value that a validator does not accept. */
export interface SchemaFailure {
  /** What is wrong: at least one thing. */
  readonly issues: readonly SchemaIssue[]
}

/** Something that is wrong with a value. */
export interface SchemaIssue {
  /** In the words of the validator. */
  readonly message: string
  /** Where it is. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

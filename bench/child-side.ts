// The side of a child process in the conversation with its parent: questions come in, answers go out. See child-process.ts.

// biome-ignore lint/suspicious/noExplicitAny: the parameters of questions are whatever their interface says
type Questions = { [Name in string]: (...parameters: any[]) => unknown }

/** A question, by its name. */
export interface Question {
  readonly id: number
  readonly name: string
  readonly parameters: readonly unknown[]
}

/** The answer to the question with the same number, or why there is none. */
export interface Answer {
  readonly id: number
  readonly value?: unknown
  readonly error?: string
}

/** Answers the parent's questions, until it is gone: then this process ends. */
export function answerParent<Q extends object>(answers: { [Name in keyof Q]: Q[Name] }): void {
  process.on('SIGINT', () => {})
  process.once('disconnect', () => process.exit())
  if (!process.connected) process.exit()
  process.on('message', async ({ id, name, parameters }: Question) => {
    try {
      const value = await (answers as unknown as Questions)[name]?.(...parameters)
      process.send?.({ id, value } satisfies Answer)
    } catch (error) {
      process.send?.({ id, error: String(error) })
    }
  })
}

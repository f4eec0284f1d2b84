// Dead letters that are kept where a test can look at them.
import type { DeadLetterCallback } from '../../src/processor/dead-letter.ts'

export function memoryDeadLetters(): { destination: DeadLetterCallback; texts: string[]; reasons: string[] } {
  const [texts, reasons]: [string[], string[]] = [[], []]
  return {
    texts,
    reasons,
    destination: letters => {
      for (const { data, error } of letters) {
        texts.push(Buffer.from(data).toString())
        reasons.push(error.message)
      }
    }
  }
}

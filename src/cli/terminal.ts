// What a command says: results to standard output, remarks to standard error; colours only where a person looks at it.
import { createColors } from 'picocolors'
import type { CliPorts, Output } from './cli-ports.ts'

/** Functions that colour a text, or do not. */
export type Colors = ReturnType<typeof createColors>

/** The two outputs of a command. */
export class Terminal {
  /** For standard output. */
  readonly colors: Colors
  /** For standard error. */
  readonly remarkColors: Colors
  readonly stdout: Output
  readonly stderr: Output
  /** Whether results are JSON, and remarks are not wanted. */
  readonly isJson: boolean

  constructor({ stdout, stderr, env }: Pick<CliPorts, 'stdout' | 'stderr' | 'env'>, isJson: boolean) {
    this.stdout = stdout
    this.stderr = stderr
    this.isJson = isJson
    const allowed = (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb'
    this.colors = createColors(allowed && !isJson && stdout.isTTY === true)
    this.remarkColors = createColors(allowed && stderr.isTTY === true)
  }

  /** A line of the result. Resolves once there is room for more. */
  line(text: string): Promise<void> {
    return this.write(`${text}\n`)
  }

  /** A part of the result as it is. Resolves once there is room for more; rejects if nobody reads it any more. */
  write(bytes: string | Uint8Array): Promise<void> {
    if (this.stdout.write(bytes)) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const settle = (finish: () => void) => () => {
        for (const name of ['drain', 'close', 'error']) this.stdout.off(name, handlers[name as keyof typeof handlers])
        finish()
      }
      const handlers = {
        drain: settle(resolve),
        close: settle(resolve),
        error: settle(() => reject(this.stdout.errored))
      }
      for (const [name, handler] of Object.entries(handlers)) this.stdout.on(name, handler)
    })
  }

  /** The result of the command as one line of JSON. */
  json(value: object): Promise<void> {
    return this.line(JSON.stringify(value))
  }

  /** A remark for a person, which a program that asked for JSON does not get. */
  remark(text: string): void {
    if (!this.isJson) this.stderr.write(`${text}\n`)
  }
}

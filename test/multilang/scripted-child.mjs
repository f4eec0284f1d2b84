// A child process that behaves as its first argument says.
import { spawn } from 'node:child_process'
import { closeSync } from 'node:fs'
import { createInterface } from 'node:readline'

const say = message => process.stdout.write(`\n${JSON.stringify(message)}\n`)

/** Answers every message, and tells of it on standard error: its action, and how long its line is. */
function echo() {
  createInterface({ input: process.stdin }).on('line', line => {
    const { action } = JSON.parse(line)
    process.stderr.write(`${action} ${line.length}\n`)
    say({ action: 'status', responseFor: action })
  })
}

const BEHAVIOURS = {
  echo,
  /** Reads nothing for a while. */
  slow: () => void setTimeout(echo, 300),
  /** Says more on standard error than a pipe holds, and then goes on. */
  chatty() {
    for (let i = 0; i < 1_000; i++) process.stderr.write(`${'x'.repeat(1_000)}\n`)
    process.stderr.write('é\n')
    echo()
  },
  /** Never ends a line of standard output. */
  flood() {
    const more = () => process.stdout.write('x'.repeat(65_536)) && setImmediate(more)
    process.stdout.on('drain', more)
    more()
    setTimeout(() => process.exit(0), 200)
  },
  /** Ends neither with its input nor for SIGTERM. */
  stubborn() {
    process.on('SIGTERM', () => process.stderr.write('not now\n'))
    process.stdin.resume()
    setInterval(() => {}, 1_000)
    process.stderr.write('ready\n')
  },
  /** Closes its standard input, and goes on. */
  deaf() {
    closeSync(0)
    setInterval(() => {}, 1_000)
    process.stderr.write('ready\n')
  },
  /** Ends at once, while what it has started has its pipes. */
  parent() {
    const child = spawn('/bin/sh', ['-c', 'sleep 30'], { stdio: 'inherit' })
    process.stderr.write(`${child.pid}\n`, () => process.exit(7))
  }
}

BEHAVIOURS[process.argv[2]]()

// `npm run shells`: the completion of the program in real shells. Needs bash, zsh and fish on this machine; exits with 1 if one of
// them completes something wrong, or is not there.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A command line as it is when Tab is pressed, and everything that is offered then. */
interface Case {
  readonly what: string
  readonly line: string
  readonly all: readonly string[]
}

const CASES: readonly Case[] = [
  { what: 'a command', line: 'millrace stat', all: ['status'] },
  { what: 'several commands', line: 'millrace re', all: ['release', 'reset', 'resume', 'redrive'] },
  { what: 'a flag', line: 'millrace run --worker', all: ['--worker-id'] },
  { what: 'a flag after the value of another one', line: 'millrace reset --app printer --to-t', all: ['--to-trim'] },
  { what: 'a word behind a flag', line: 'millrace run handler.mjs --log-level wa', all: ['warn'] },
  { what: 'nothing behind a flag that takes anything', line: 'millrace run --worker-id ', all: [] },
  { what: 'a file', line: 'millrace run hand', all: ['handler.mjs'] },
  { what: 'a file behind a flag', line: 'millrace redrive letters --module hand', all: ['handler.mjs'] },
  { what: 'an argument', line: 'millrace completion f', all: ['fish'] }
]

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'millrace-shells-'))
writeFileSync(join(folder, 'handler.mjs'), '')
writeFileSync(join(folder, 'letters'), '')

function run(command: string, args: readonly string[], input = ''): string {
  const { stdout, error } = spawnSync(command, args, { cwd: folder, input, encoding: 'utf8', timeout: 20_000 })
  if (error !== undefined) throw error
  return stdout
}

/** What each shell offers, without descriptions. */
const OFFERED: Readonly<Record<string, (script: string, line: string) => string[]>> = {
  bash: (script, line) => {
    const words = line.split(' ')
    const code = `. ${script}; COMP_WORDS=(${words.map(word => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _millrace; printf '%s\\n' "\${COMPREPLY[@]}"`
    return lines(run('bash', ['--norc', '-c', code]))
  },
  fish: (script, line) =>
    lines(run('fish', ['--no-config', '-c', `source ${script}; complete -C '${line}'`])).map(
      each => each.split('\t')[0] ?? ''
    ),
  // The only way to see what zsh does is to press Tab in one: each match is written down as it is added.
  zsh: (script, line) => {
    const inner = [
      'PS1=; unsetopt beep',
      `autoload -Uz compinit; compinit -u -D`,
      `. ${script}`,
      `compadd() { local -a found; [[ \${@[(I)-[OAD]]} -gt 0 ]] && { builtin compadd "$@"; return }; builtin compadd -O found "$@"; print -rl -- $found >> offered; builtin compadd "$@" }`
    ]
    writeFileSync(join(folder, 'inner.zsh'), `${inner.join('\n')}\n`)
    rmSync(join(folder, 'offered'), { force: true })
    const code = `zmodload zsh/zpty; zpty z zsh -f -i; zpty -w z '. ./inner.zsh'; sleep 1; zpty -w -n z $'${line}\\t'; sleep 1; zpty -d z; [[ -e offered ]] && cat offered`
    return lines(run('zsh', ['-f', '-c', code]))
  }
}

function lines(text: string): string[] {
  return [...new Set(text.split('\n').filter(line => line !== ''))]
}

let failed = 0
let passed = 0
for (const [shell, offered] of Object.entries(OFFERED)) {
  const script = join(folder, `completion.${shell}`)
  writeFileSync(script, run(process.execPath, [MAIN, 'completion', shell]))
  for (const { what, line, all } of CASES) {
    const found = offered(script, line).sort()
    const isRight = JSON.stringify(found) === JSON.stringify([...all].sort())
    if (isRight) passed += 1
    else failed += 1
    const told = isRight ? '' : `: expected ${all.join(' ') || 'nothing'}, was offered ${found.join(' ') || 'nothing'}`
    process.stdout.write(`${isRight ? 'ok  ' : 'FAIL'} ${shell}: ${what} (${line})${told}\n`)
  }
}
rmSync(folder, { recursive: true, force: true })
process.stdout.write(`\n${passed} passed, ${failed} failed\n`)
process.exitCode = failed === 0 ? 0 : 1

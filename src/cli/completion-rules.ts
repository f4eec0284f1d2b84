// Scripts that complete the command line in a shell, made of what the program has.

/** A command as far as completion needs it. */
export interface CompletedCommand {
  readonly name: string
  readonly summary: string
  readonly flags: readonly CompletedFlag[]
  /** Whether its arguments are files. */
  readonly takesFiles: boolean
  /** Words that its first argument can be. Empty: anything. */
  readonly words: readonly string[]
}

/** A flag. */
export interface CompletedFlag {
  /** `--key`. */
  readonly long: string
  /** `-k`. */
  readonly short?: string | undefined
  readonly summary: string
  readonly takesValue: boolean
}

/** The shells that there are scripts for. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const

/** A shell that there is a script for. */
export type Shell = (typeof SHELLS)[number]

/** The script for one shell. */
export function completionScript(shell: Shell, program: string, commands: readonly CompletedCommand[]): string {
  switch (shell) {
    case 'bash':
      return bashScript(program, commands)
    case 'zsh':
      return zshScript(program, commands)
    case 'fish':
      return fishScript(program, commands)
  }
}

function bashScript(program: string, commands: readonly CompletedCommand[]): string {
  const cases = commands.map(({ name, flags, takesFiles, words }) => {
    const offered = [...words, ...flags.flatMap(({ long, short }) => (short === undefined ? [long] : [long, short]))]
    const files = takesFiles ? `\n      [[ $cur != -* ]] && COMPREPLY+=( $(compgen -f -- "$cur") )` : ''
    return `    ${name})\n      COMPREPLY=( $(compgen -W "${offered.join(' ')}" -- "$cur") )${files}\n      ;;`
  })
  return `# bash completion for ${program}: eval "$(${program} completion bash)"
_${program}() {
  local cur="\${COMP_WORDS[COMP_CWORD]}"
  COMPREPLY=()
  if [[ $COMP_CWORD -eq 1 ]]; then
    COMPREPLY=( $(compgen -W "${commands.map(({ name }) => name).join(' ')} --help --version" -- "$cur") )
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
  esac
}
complete -o filenames -F _${program} ${program}
`
}

function zshScript(program: string, commands: readonly CompletedCommand[]): string {
  const listed = commands.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`)
  const cases = commands.map(({ name, flags, takesFiles, words }) => {
    const specs = flags.flatMap(({ long, short, summary, takesValue }) =>
      (short === undefined ? [long] : [long, short]).map(flag =>
        quoted(`*${flag}[${summary.replaceAll(/[[\]:\\]/g, '\\$&')}]${takesValue ? ':value: ' : ''}`)
      )
    )
    const rest = takesFiles ? [`'*:file:_files'`] : words.length > 0 ? [`'1:word:(${words.join(' ')})'`] : []
    return `    ${name})\n      _arguments \\\n        ${[...specs, ...rest].join(' \\\n        ')}\n      ;;`
  })
  return `#compdef ${program}
# zsh completion for ${program}: eval "$(${program} completion zsh)"
_${program}() {
  local -a commands
  commands=(
${listed.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe 'command' commands
    return
  fi
  local command="\${words[2]}"
  shift words
  (( CURRENT-- ))
  case "$command" in
${cases.join('\n')}
  esac
}
compdef _${program} ${program}
`
}

function fishScript(program: string, commands: readonly CompletedCommand[]): string {
  const lines = commands.flatMap(({ name, summary, flags, takesFiles, words }) => {
    const when = `-n '__fish_seen_subcommand_from ${name}'`
    return [
      `complete -c ${program} -n __fish_use_subcommand -a ${name} -d ${quoted(summary)}`,
      ...flags.map(
        ({ long, short, summary: what, takesValue }) =>
          `complete -c ${program} ${when} -l ${long.slice(2)}${short === undefined ? '' : ` -s ${short.slice(1)}`}${takesValue ? ' -x' : ''} -d ${quoted(what)}`
      ),
      ...(takesFiles ? [`complete -c ${program} ${when} -F`] : []),
      ...(words.length > 0 ? [`complete -c ${program} ${when} -a '${words.join(' ')}'`] : [])
    ]
  })
  return `# fish completion for ${program}: ${program} completion fish | source
complete -c ${program} -f
${lines.join('\n')}
`
}

/** In single quotes, for all three. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

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
  /** Whether its value is a file. */
  readonly takesFiles?: boolean
  /** Words that its value can be. Absent: anything. */
  readonly words?: readonly string[]
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
    const offered = [...words, ...flags.flatMap(namesOf)].join(' ')
    const last = takesFiles ? `\n      [[ $cur == -* ]] || _${program}_files "$cur"` : ''
    const values = flags.filter(({ takesValue }) => takesValue).map(flag => bashValue(flag, program))
    const inner = values.length === 0 ? [] : ['      case "$prev" in', ...values, '      esac']
    const lines = [...inner, `      COMPREPLY=( $(compgen -W "${offered}" -- "$cur") )${last}`]
    return `    ${name})\n${lines.join('\n')}\n      ;;`
  })
  return `# bash completion for ${program}: eval "$(${program} completion bash)"
_${program}_files() {
  compopt -o filenames 2> /dev/null
  local IFS=$'\\n'
  COMPREPLY+=( $(compgen -f -- "$1") )
}
_${program}() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}"
  COMPREPLY=()
  if [[ $COMP_CWORD -eq 1 ]]; then
    COMPREPLY=( $(compgen -W "${commands.map(({ name }) => name).join(' ')} --help --version" -- "$cur") )
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
  esac
}
complete -F _${program} ${program}
`
}

/** What is offered behind a flag: nothing, where anything can stand. */
function bashValue(flag: CompletedFlag, program: string): string {
  const { takesFiles = false, words = [] } = flag
  const offer = takesFiles
    ? `_${program}_files "$cur"; `
    : words.length > 0
      ? `COMPREPLY=( $(compgen -W "${words.join(' ')}" -- "$cur") ); `
      : ''
  return `        ${namesOf(flag).join('|')}) ${offer}return ;;`
}

function namesOf({ long, short }: CompletedFlag): string[] {
  return short === undefined ? [long] : [long, short]
}

function zshScript(program: string, commands: readonly CompletedCommand[]): string {
  const listed = commands.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`)
  const cases = commands.map(({ name, flags, takesFiles, words }) => {
    const specs = flags.flatMap(flag =>
      namesOf(flag).map(each =>
        quoted(`*${each}[${flag.summary.replaceAll(/[[\]:\\]/g, '\\$&')}]${flag.takesValue ? zshValue(flag) : ''}`)
      )
    )
    const rest = takesFiles
      ? [`'*:file:_files'`]
      : words.length > 0
        ? [`'1:word:(${words.join(' ')})'`]
        : [`'*:argument: '`]
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
# In a file of $fpath this is the function itself; evaluated, it is registered here.
if [[ "\${funcstack[1]}" == _${program} ]]; then
  _${program} "$@"
else
  (( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
  compdef _${program} ${program}
fi
`
}

function zshValue({ takesFiles = false, words = [] }: CompletedFlag): string {
  if (takesFiles) return ':file:_files'
  return words.length > 0 ? `:word:(${words.join(' ')})` : ':value: '
}

function fishScript(program: string, commands: readonly CompletedCommand[]): string {
  const lines = commands.flatMap(({ name, summary, flags, takesFiles, words }) => {
    const when = `-n '__fish_seen_subcommand_from ${name}'`
    return [
      `complete -c ${program} -n __fish_use_subcommand -a ${name} -d ${quoted(summary)}`,
      ...flags.map(
        flag =>
          `complete -c ${program} ${when} -l ${flag.long.slice(2)}${flag.short === undefined ? '' : ` -s ${flag.short.slice(1)}`}${flag.takesValue ? fishValue(flag) : ''} -d ${quoted(flag.summary)}`
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

function fishValue({ takesFiles = false, words = [] }: CompletedFlag): string {
  if (takesFiles) return ' -r -F'
  return words.length > 0 ? ` -x -a ${quoted(words.join(' '))}` : ' -x'
}

/** In single quotes, for all three. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

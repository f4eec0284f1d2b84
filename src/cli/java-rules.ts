// A command line as `java` gets it from the bootstrap programs of KCL's clients: what it asks for, if it is the daemon.

/** Classes that are run: KCL's daemon, of 2.x and 3.x and of 1.x. */
export const DAEMON_CLASSES: readonly string[] = [
  'software.amazon.kinesis.multilang.MultiLangDaemon',
  'com.amazonaws.services.kinesis.multilang.MultiLangDaemon'
]

/** What a command line asks for. */
export type JavaWish =
  /** Run the daemon: these are arguments for `millrace`. */
  | { readonly kind: 'daemon'; readonly argv: readonly string[]; readonly ignored: readonly string[] }
  /** Say which version this is: on standard error as `java -version` does it, or on standard output. */
  | { readonly kind: 'version'; readonly to: 'stdout' | 'stderr' }
  /** Something else, which only Java can do. */
  | { readonly kind: 'refused'; readonly problem: string }

/** What is asked about files. */
export interface FileFacts {
  /** Between the entries of a class path: `:`, or `;` on Windows. */
  readonly delimiter: string
  readonly isFile: (path: string) => boolean
}

/** Options of `java` that take the next argument. */
const WITH_VALUE: readonly string[] = [
  '-cp',
  '-classpath',
  '--class-path',
  '--add-opens',
  '--add-exports',
  '--add-modules'
]
const CLASS_PATH: readonly string[] = ['-cp', '-classpath', '--class-path']

/** What a command line asks for. Options of the JVM mean nothing here, but for the class path, where the file is looked for first. */
export function javaWish(argv: readonly string[], files: FileFacts): JavaWish {
  const ignored: string[] = []
  let classPath = ''
  for (let index = 0; index < argv.length; index += 1) {
    const given = argv[index] ?? ''
    if (given === '-version' || given === '-fullversion') return { kind: 'version', to: 'stderr' }
    if (given === '--version') return { kind: 'version', to: 'stdout' }
    if (!given.startsWith('-')) return daemonWish(given, argv.slice(index + 1), { classPath, ignored }, files)
    const [name = '', value] = given.startsWith('--') ? splitAtEqual(given) : [given]
    const takesNext = WITH_VALUE.includes(name) && value === undefined
    if (CLASS_PATH.includes(name)) classPath = value ?? argv[index + 1] ?? ''
    else ignored.push(takesNext ? `${given} ${argv[index + 1] ?? ''}` : given)
    if (takesNext) index += 1
  }
  return refused('it names no class')
}

function daemonWish(
  mainClass: string,
  args: readonly string[],
  { classPath, ignored }: { readonly classPath: string; readonly ignored: readonly string[] },
  files: FileFacts
): JavaWish {
  if (!DAEMON_CLASSES.includes(mainClass)) return refused(`it names the class ${mainClass}`)
  const found = (path: string): string => inClassPath(path, classPath, files) ?? path
  const out: string[] = []
  for (let index = 0; index < args.length; index += 1) {
    const given = args[index] ?? ''
    const next = args[index + 1]
    if (['-p', '--properties-file'].includes(given) && next !== undefined) out.push('--properties', found(next))
    else if (['-l', '--log-configuration'].includes(given) && next !== undefined) out.push('--log-configuration', next)
    else if (given.startsWith('-')) return refused(`the daemon knows no argument ${given}`)
    else {
      out.push(found(given))
      continue
    }
    index += 1
  }
  return { kind: 'daemon', argv: ['multilang', ...out], ignored }
}

/** The daemon of Java looks for its file in the class path first: the helper of Python gives it the bare name. */
function inClassPath(path: string, classPath: string, { delimiter, isFile }: FileFacts): string | undefined {
  if (/^([a-zA-Z]:)?[\\/]/.test(path)) return undefined
  const folders = classPath.split(delimiter).filter(entry => entry !== '' && !/(\.jar|[\\/]?\*)$/.test(entry))
  return folders.map(folder => `${folder.replace(/[\\/]$/, '')}/${path}`).find(isFile)
}

function splitAtEqual(option: string): readonly [string, string | undefined] {
  const at = option.indexOf('=')
  return at === -1 ? [option, undefined] : [option.slice(0, at), option.slice(at + 1)]
}

function refused(why: string): JavaWish {
  const known = DAEMON_CLASSES[0]
  const problem = `this stands in the place of java for KCL's multi-language daemon, and runs ${known} alone; ${why}`
  return { kind: 'refused', problem }
}

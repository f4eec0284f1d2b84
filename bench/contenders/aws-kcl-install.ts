// What aws-kcl needs beside this repository: a JVM, the npm package and the jars that its own pom.xml names. Fetched once,
// into a folder that git ignores, and only when somebody asks for this contender.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Version of the npm package. */
export const AWS_KCL = '2.3.2'

/** An aws-kcl that can be started. */
export interface Installation {
  /** The line in which the JVM says what it is. */
  readonly jvm: string
  /** Version of the Java library that the jars are. */
  readonly javaVersion: string
  /** Folder of the npm package. */
  readonly packageFolder: string
  /** Folder of the jars. */
  readonly jarFolder: string
}

const CACHE = fileURLToPath(new URL('../.cache/aws-kcl', import.meta.url))
const PACKAGE = join(CACHE, 'node_modules', 'aws-kcl')
const JARS = join(CACHE, 'jars')
/** Written last, so that half of a download is never taken for all of it. */
const DONE = join(CACHE, `complete-${AWS_KCL}`)
/**
 * The package names a protobuf that is older than what its own KCL was generated for, which ends the daemon at the first
 * KPL aggregate. The KCL's own pom.xml names this one; every other jar is the package's choice.
 */
const PROTOBUF = { shipped: '4.27.5', needed: '4.31.1' }
const COPY_JARS = 'org.apache.maven.plugins:maven-dependency-plugin:2.8:copy-dependencies'
const COORDINATES =
  '<groupId>bench</groupId><artifactId>aws-kcl-jars</artifactId><version>1</version><packaging>pom</packaging>'
const FETCH_MS = 600_000

/**
 * Finds aws-kcl, and fetches it if it is not there yet. Throws an Error that begins with "not measured" and says what is
 * missing: a JVM, Maven, the network, or Linux, which tells how much CPU time other processes have taken.
 */
export function installAwsKcl(say: (line: string) => void): Installation {
  if (!existsSync('/proc/self/stat'))
    throw new Error('not measured: no /proc to read the CPU time of its processes from')
  const jvm = versionOf('java', '-version')
  if (jvm === undefined) throw new Error('not measured: no JVM')
  if (!existsSync(DONE)) {
    if (versionOf('mvn', '--version') === undefined) throw new Error('not measured: no Maven to fetch the jars with')
    say(`fetching aws-kcl ${AWS_KCL} and its jars, once`)
    fetchAll()
  }
  const javaVersion = /<kcl\.version>(.+)<\/kcl\.version>/.exec(pom())?.[1] ?? 'unknown'
  return { jvm, javaVersion, packageFolder: PACKAGE, jarFolder: JARS }
}

function fetchAll(): void {
  rmSync(CACHE, { recursive: true, force: true })
  mkdirSync(JARS, { recursive: true })
  writeFileSync(join(CACHE, '.gitignore'), '*\n')
  // Without --prefix npm would install into the next folder above that has a package.json.
  const here = ['--prefix', CACHE, '--no-save', '--no-package-lock']
  run('npm', ['install', `aws-kcl@${AWS_KCL}`, ...here, '--ignore-scripts', '--no-audit', '--no-fund'])
  writeFileSync(join(CACHE, 'pom.xml'), jarList())
  run('mvn', ['-q', '-B', COPY_JARS, `-DoutputDirectory=${JARS}`, '-DexcludeTransitive=true'])
  writeFileSync(DONE, '')
}

/** The package's own list of jars, which its bootstrap fetches one by one. Maven wants a name for it. */
function jarList(): string {
  const model = '<modelVersion>4.0.0</modelVersion>'
  const protobuf = /(?<=<artifactId>protobuf-java<\/artifactId>\s*<version>)[^<]+/
  const version = protobuf.exec(pom())?.[0]
  if (version !== PROTOBUF.shipped)
    throw new Error(`not measured: aws-kcl names protobuf ${version}, which is not known`)
  return pom()
    .replace(model, model + COORDINATES)
    .replace(protobuf, PROTOBUF.needed)
}

function pom(): string {
  return readFileSync(join(PACKAGE, 'pom.xml'), 'utf8')
}

function run(command: string, parameters: readonly string[]): void {
  const { status, stdout, stderr, error } = spawnSync(command, parameters, {
    cwd: CACHE,
    encoding: 'utf8',
    timeout: FETCH_MS
  })
  if (status === 0) return
  const said = error?.message ?? `${stdout}${stderr}`.trim().slice(-500)
  throw new Error(`not measured: ${command} could not fetch aws-kcl: ${said}`)
}

/** The first line that a program says of its version; `undefined` if there is no such program. */
function versionOf(command: string, flag: string): string | undefined {
  const { status, stdout, stderr } = spawnSync(command, [flag], { encoding: 'utf8' })
  return status === 0 ? `${stdout}${stderr}`.trim().split('\n')[0] : undefined
}

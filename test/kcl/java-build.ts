// Finds the JDK and Maven, and builds the Java worker for a release of KCL.
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const PROJECT = join(import.meta.dirname, 'java')
const NEEDS = `This needs a JDK of version 17 or later (java and javac in the PATH, or JAVA_HOME) and Maven (mvn in the PATH),
which downloads KCL from the repository that it is set up for when it is first run.`

/** A release of KCL, built and ready to run. */
export interface JavaBuild {
  readonly kclVersion: string
  readonly javaVersion: string
  readonly java: string
  readonly classPath: string
}

/** Builds the Java worker for a release of KCL, unless that was done before. @throws Error that says what is missing */
export async function buildJava(kclVersion: string, say: (what: string) => void): Promise<JavaBuild> {
  const home = process.env.JAVA_HOME
  const java = home === undefined ? 'java' : join(home, 'bin', 'java')
  const javaVersion = await versionOf(java, ['-version'], /version "((\d+)[^"]*)"/)
  await versionOf(home === undefined ? 'javac' : join(home, 'bin', 'javac'), ['-version'], /javac ((\d+)\S*)/)
  const classPathFile = join(PROJECT, 'target', kclVersion, 'classpath')
  say(`building the Java worker for KCL ${kclVersion}`)
  try {
    const offline = existsSync(classPathFile) ? ['--offline'] : []
    const goals = ['compile', 'dependency:build-classpath']
    await run('mvn', ['-q', '-B', ...offline, `-Dkcl.version=${kclVersion}`, ...goals], { cwd: PROJECT })
  } catch (error) {
    const { code, stdout = '', message } = error as { code?: unknown; stdout?: string; message: string }
    if (code === 'ENOENT') throw new Error(`There is no mvn. ${NEEDS}`)
    throw new Error(`Maven could not build the Java worker for KCL ${kclVersion}:\n${stdout === '' ? message : stdout}`)
  }
  const classPath = [join(PROJECT, 'target', kclVersion, 'classes'), readFileSync(classPathFile, 'utf8').trim()].join(
    ':'
  )
  return { kclVersion, javaVersion, java, classPath }
}

async function versionOf(program: string, args: string[], pattern: RegExp): Promise<string> {
  const output = await run(program, args).catch((error: NodeJS.ErrnoException) => {
    throw new Error(`${program} could not be run (${error.code ?? error.message}). ${NEEDS}`)
  })
  const [, version, major] = pattern.exec(output.stderr + output.stdout) ?? []
  if (version !== undefined && Number(major) >= 17) return version
  throw new Error(`${program} is of version ${version ?? 'unknown'}. ${NEEDS}`)
}

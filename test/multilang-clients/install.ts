// Gets the clients of KCL as they are released, into a folder: aws-kcl from the npm registry, with the samples of its repository,
// which are not in the package; amazon_kclpy from PyPI, with its own; and the daemon of Java, for the comparison.
import { execFile } from 'node:child_process'
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const execute = promisify(execFile)

/** The releases that are looked at. */
export const RELEASES = { node: '2.3.2', python: '3.2.0', java: '2.7.2', log4js: '6' }

/** The sample of a client: the folder that it is started in, and what it needs in its environment. */
export interface Sample {
  readonly name: string
  readonly version: string
  readonly folder: string
  readonly properties: string
  readonly env: Readonly<Record<string, string>>
}

/** The node sample: the package of the registry, and the samples of the repository, put where they are in it. */
export async function installNode(folder: string, repository: string): Promise<Sample> {
  const root = join(folder, 'node')
  const aws = join(root, 'node_modules', 'aws-kcl')
  if (!existsSync(join(aws, 'samples'))) {
    mkdirSync(root, { recursive: true })
    writeFileSync(join(root, 'package.json'), '{ "private": true }\n')
    const packages = [`aws-kcl@${RELEASES.node}`, `log4js@${RELEASES.log4js}`]
    await run('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--prefix', root, ...packages], root)
    const clone = join(folder, 'node-repository')
    if (!existsSync(clone)) await run('git', ['clone', '-q', '--depth', '1', fileUrl(repository), clone], folder)
    cpSync(join(clone, 'samples'), join(aws, 'samples'), { recursive: true })
  }
  const sample = join(aws, 'samples', 'basic_sample', 'consumer')
  return {
    name: 'aws-kcl',
    version: `${versionIn(join(aws, 'package.json'))}, Node ${process.version}`,
    folder: sample,
    properties: join(sample, 'sample.properties'),
    env: {}
  }
}

/**
 * The python sample. Its setup.py installs nothing without the jars of Java's daemon, so that the source distribution is used where
 * it is unpacked: it is Python and nothing else.
 */
export async function installPython(folder: string, python: string): Promise<Sample> {
  const root = join(folder, 'python')
  const unpacked = join(root, `amazon_kclpy-${RELEASES.python}`)
  if (!existsSync(unpacked)) {
    mkdirSync(root, { recursive: true })
    const what = ['--no-deps', '--no-binary', ':all:', `amazon_kclpy==${RELEASES.python}`, '-d', root]
    await run(python, ['-m', 'pip', 'download', '-q', ...what], root)
    const archive = readdirSync(root).find(name => name.endsWith('.tar.gz')) ?? ''
    await run('tar', ['xzf', archive], root)
    // As pip does it with what setup.py calls a script.
    chmodSync(join(unpacked, 'samples', 'sample_kclpy_app.py'), 0o755)
  }
  const samples = join(unpacked, 'samples')
  const { stdout } = await execute(python, ['--version'])
  return {
    name: 'amazon_kclpy',
    version: `${RELEASES.python}, ${stdout.trim()}`,
    folder: samples,
    properties: join(samples, 'sample.properties'),
    env: { PYTHONPATH: unpacked, PATH: `${samples}:${process.env.PATH}` }
  }
}

/** The class path of the daemon of Java: the jars that aws-kcl names in its own pom, which Maven takes for none without a name. */
export async function installJava(folder: string): Promise<string> {
  const root = join(folder, 'java')
  const file = join(root, 'classpath')
  if (!existsSync(file)) {
    mkdirSync(root, { recursive: true })
    const pom = readFileSync(join(folder, 'node', 'node_modules', 'aws-kcl', 'pom.xml'), 'utf8')
    const name = '<groupId>millrace.test</groupId><artifactId>multilang-daemon</artifactId><version>1</version>'
    const version = '<modelVersion>4.0.0</modelVersion>'
    writeFileSync(join(root, 'pom.xml'), pom.replace(version, version + name))
    await run('mvn', ['-q', '-B', 'dependency:build-classpath', `-Dmdep.outputFile=${file}`], root)
  }
  return readFileSync(file, 'utf8').trim()
}

async function run(program: string, given: readonly string[], cwd: string): Promise<void> {
  try {
    await execute(program, given, { cwd, maxBuffer: 2 ** 26 })
  } catch (error) {
    const { stderr = '', message } = error as { stderr?: string; message: string }
    throw new Error(`${program} ${given.slice(0, 2).join(' ')} failed: ${stderr.slice(-2_000) || message}`)
  }
}

/** Of a folder on this machine, git clones no less than all without that. */
function fileUrl(repository: string): string {
  return repository.startsWith('/') ? `file://${repository}` : repository
}

function versionIn(packageFile: string): string {
  return (JSON.parse(readFileSync(packageFile, 'utf8')) as { version: string }).version
}

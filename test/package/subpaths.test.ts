// Every subpath of the packed package can be imported and required; one whose package is missing says which that is.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { type PackedProject, packedProject } from '../support/packed.ts'
import { ROOT } from '../support/source-files.ts'

const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
const SUBPATHS = Object.keys(exports)
  .filter(name => name !== './package.json')
  .map(name => `millrace${name.slice(1)}`)

const PEERS: Readonly<Record<string, string>> = {
  'millrace/dead-letters/sqs': '@aws-sdk/client-sqs',
  'millrace/dead-letters/s3': '@aws-sdk/client-s3',
  'millrace/dynamodb-streams': '@aws-sdk/client-dynamodb-streams',
  'millrace/glue-schema-registry': '@aws-sdk/client-glue',
  'millrace/metrics/cloudwatch': '@aws-sdk/client-cloudwatch',
  'millrace/metrics/otel': '@opentelemetry/api',
  'millrace/metrics/prometheus': 'prom-client',
  'millrace/tracing/otel': '@opentelemetry/api'
}

/** Loads each subpath, and prints what it exports or why it cannot be loaded. */
const PROGRAMS = {
  'load.cjs': `const results = {}
for (const name of JSON.parse(process.argv[2])) {
  try { results[name] = Object.keys(require(name)) } catch (error) { results[name] = error.message }
}
console.log(JSON.stringify(results))`,
  'load.mjs': `const results = {}
for (const name of JSON.parse(process.argv[2])) {
  try { results[name] = Object.keys(await import(name)) } catch (error) { results[name] = error.message }
}
console.log(JSON.stringify(results))`
}

describe('the subpaths of the package', function () {
  this.timeout(120_000)
  let project: PackedProject

  before(() => {
    project = packedProject()
    for (const [file, program] of Object.entries(PROGRAMS)) writeFileSync(join(project.folder, file), program)
  })

  after(() => project?.remove())

  const load = (file: string): Record<string, string | string[]> =>
    JSON.parse(
      execFileSync(process.execPath, [file, JSON.stringify(SUBPATHS)], {
        cwd: project.folder,
        encoding: 'utf8',
        env: { PATH: process.env.PATH, AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
        stdio: ['ignore', 'pipe', 'ignore']
      })
    )

  for (const [file, how] of [
    ['load.cjs', 'required by CommonJS'],
    ['load.mjs', 'imported']
  ] as const) {
    it(`can be ${how}; those that need a package that is not there say how to install it`, () => {
      const results = load(file)
      expect(Object.keys(results)).to.deep.equal(SUBPATHS)
      for (const [name, result] of Object.entries(results)) {
        const peer = PEERS[name]
        if (peer === undefined) expect(result, name).to.be.an('array')
        else expect(result).to.equal(`${name} needs ${peer}, which is not installed: npm install ${peer}`)
      }
      expect(results.millrace).to.include('Worker')
    })
  }

  it('can all be required and imported once the packages are there', () => {
    project.install([...new Set(Object.values(PEERS))])
    for (const results of [load('load.cjs'), load('load.mjs')]) {
      for (const name of SUBPATHS) expect(results[name], name).to.be.an('array')
      expect(results['millrace/metrics/prometheus']).to.include('prometheusMetrics')
      expect(results['millrace/dead-letters/sqs']).to.include('sqsDeadLetters')
    }
  })
})

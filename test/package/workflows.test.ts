// The workflows of GitHub Actions: they can be read, do what package.json and .ci offer, and are allowed no more than they need.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { parseDocument } from 'yaml'
import { ROOT } from '../support/source-files.ts'

const { scripts, engines, repository, publishConfig } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))

interface Step {
  readonly run?: string
  readonly uses?: string
}

interface Job {
  readonly permissions?: Readonly<Record<string, string>>
  readonly strategy?: { readonly matrix: { readonly node: readonly number[] } }
  readonly steps: readonly (Step & { readonly with?: Readonly<Record<string, unknown>> })[]
}

interface Workflow {
  readonly on: object
  readonly permissions: Readonly<Record<string, string>>
  readonly jobs: Readonly<Record<string, Job>>
}

function workflow(name: string): Workflow {
  const document = parseDocument(readFileSync(join(ROOT, '.github/workflows', name), 'utf8'))
  expect([...document.errors, ...document.warnings]).to.deep.equal([])
  return document.toJS()
}

const stepsOf = ({ jobs }: Workflow) => Object.values(jobs).flatMap(({ steps }) => steps)

describe('the workflows', () => {
  for (const name of ['ci.yml', 'release.yml']) {
    it(`only run scripts that there are: ${name}`, () => {
      const lines = stepsOf(workflow(name)).flatMap(({ run = '' }) => run.split('\n'))
      for (const line of lines) {
        const [, script] = /^npm run (\S+)/.exec(line) ?? []
        if (script !== undefined) expect(Object.keys(scripts)).to.include(script)
        const [, file] = /^bash (\S+)/.exec(line) ?? []
        if (file !== undefined) expect(existsSync(join(ROOT, file)), file).to.equal(true)
      }
      expect(lines.join('\n')).to.match(/^npm ci$/m)
    })

    it(`leave no token behind in the checkout: ${name}`, () => {
      for (const step of stepsOf(workflow(name)).filter(({ uses }) => uses?.startsWith('actions/checkout@')))
        expect(step.with).to.include({ 'persist-credentials': false })
    })
  }

  it('test every version of Node that is supported, from the oldest on', () => {
    const { jobs, permissions } = workflow('ci.yml')
    const set = stepsOf(workflow('ci.yml')).flatMap(step => (step.with?.['node-version'] as number | undefined) ?? [])
    const matrix = Object.values(jobs).flatMap(({ strategy }) => strategy?.matrix.node ?? [])
    const tested = [...set, ...matrix].filter(version => typeof version === 'number')
    expect([...new Set(tested)].sort()).to.deep.equal([20, 22, 24])
    expect(engines.node).to.match(/^>=20\./)
    expect(permissions).to.deep.equal({ contents: 'read' })
  })

  it('publish with provenance, after all checks, and attach the list of what the package is made of', () => {
    const release = workflow('release.yml')
    expect(release.on).to.deep.equal({ push: { tags: ['v*'] } })
    expect(release.permissions).to.deep.equal({})
    const { permissions, steps } = release.jobs.publish as Job
    expect(permissions).to.deep.equal({ contents: 'write', 'id-token': 'write' })
    const runs = steps.flatMap(({ run = [] }) => run) as string[]
    const at = (text: string): number => runs.findIndex(run => run.includes(text))
    for (const check of ['npm run check:package', 'npm test', 'npm run sbom'])
      expect(at(check)).to.be.within(0, at('npm publish'))
    expect(runs[at('npm publish')]).to.equal('npm publish --provenance --access public')
    expect(runs[at('gh release create')]).to.include(/> (\S+)$/.exec(scripts.sbom)?.[1])
  })

  it('can state where a version was built, because the package says where it is from', () => {
    expect(publishConfig).to.deep.equal({ access: 'public', provenance: true })
    expect(repository.url).to.match(/^git\+https:\/\/github\.com\/\S+\.git$/)
  })
})

// What browsers run: it stands apart from everything that runs in Node, and no text of a fleet can become markup in it.
import { basename } from 'node:path'
import { expect } from 'chai'
import { PAGE_SCRIPTS, SHARED_SCRIPTS } from '../../src/dashboard/page-files.ts'
import { type Finding, is, offenders, type SourceFile, sourceFiles } from '../support/source-files.ts'

const isOfPage = ({ path }: SourceFile): boolean => path.startsWith('dashboard-page/')

/** What is loaded with a file, types aside. */
function loadedBy(start: string): ReadonlySet<string> {
  const files = new Map(sourceFiles().map(file => [file.path, file]))
  const seen = new Set<string>()
  const visit = (path: string): void => {
    if (seen.has(path)) return
    seen.add(path)
    for (const { target, isType } of files.get(path)?.imports ?? []) if (!isType) visit(target.replace(/^src\//, ''))
  }
  visit(start)
  return seen
}

describe('the page of the dashboard', () => {
  it('is served with exactly what it loads', () => {
    const served = [
      ...PAGE_SCRIPTS.map(name => `dashboard-page/${name}.ts`),
      ...SHARED_SCRIPTS.map(name => `dashboard/${name}.ts`)
    ]
    expect([...loadedBy('dashboard-page/main.ts')].sort()).to.deep.equal(served.sort())
  })

  it('has no file that is not served', () => {
    const names = sourceFiles()
      .filter(isOfPage)
      .map(({ path }) => basename(path, '.ts'))
    expect(names.sort()).to.deep.equal([...PAGE_SCRIPTS].sort())
  })

  it('is imported by nobody, and imports itself and the rules of the dashboard alone', () => {
    const strangers = offenders(file =>
      file.imports
        .filter(({ target }) => target.startsWith('src/dashboard-page/') || isOfPage(file))
        .filter(({ target }) => !isOfPage(file) || !/^src\/dashboard(-page)?\//.test(target))
        .map(({ target, node }): Finding => [node, `imports ${target}`])
    )
    expect(strangers).to.deep.equal([])
  })

  it('never makes markup of text', () => {
    const names =
      /^(innerHTML|outerHTML|insertAdjacentHTML|setHTMLUnsafe|srcdoc|write|writeln|createContextualFragment)$/
    const markup = offenders(file =>
      isOfPage(file)
        ? file.nodes
            .filter(is.isIdentifier)
            .filter(({ text }) => names.test(text))
            .map((node): Finding => [node, node.text])
        : []
    )
    expect(markup).to.deep.equal([])
  })
})

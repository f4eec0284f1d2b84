// Every link on a page leads somewhere: to a file of the repository, and to a heading in it.
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect } from 'chai'
import { anchorsOf, PAGES, proseOf, textOf } from '../support/pages.ts'
import { ROOT } from '../support/source-files.ts'

interface Link {
  readonly page: string
  /** As it is written. */
  readonly link: string
  /** Below the root. */
  readonly target: string
  readonly heading: string | undefined
}

function linksOf(page: string): Link[] {
  const links = proseOf(page).matchAll(/\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)/g)
  return Array.from(links, ([, file = '', heading]) => ({
    page,
    link: `${file}${heading === undefined ? '' : `#${heading}`}`,
    target: file === '' ? page : join(dirname(page), file),
    heading
  }))
}

describe('the links on the pages', () => {
  const links = PAGES.flatMap(linksOf)

  it('lead to files that exist', () => {
    expect(links.length).to.be.greaterThan(150)
    const broken = links.filter(({ target }) => !existsSync(join(ROOT, target)))
    expect(broken.map(({ page, link }) => `${page}: ${link}`)).to.deep.equal([])
  })

  it('lead to headings that exist', () => {
    const broken = links.filter(
      ({ target, heading }) => heading !== undefined && target.endsWith('.md') && !anchorsOf(target).includes(heading)
    )
    expect(broken.map(({ page, link }) => `${page}: ${link}`)).to.deep.equal([])
  })

  it('lead to each guide from the index, and from README.md', () => {
    for (const index of ['README.md', 'docs/README.md']) {
      const found = linksOf(index).map(({ target }) => target)
      const guides = PAGES.filter(page => page.startsWith('docs/') && page !== 'docs/README.md')
      expect(
        guides.filter(guide => !found.includes(guide)),
        index
      ).to.deep.equal([])
    }
  })

  it('are written out nowhere but between brackets, so that none escapes this test', () => {
    const bare = PAGES.filter(page => /<a\s|<img\s|^\[[^\]]+\]: /m.test(textOf(page)))
    expect(bare).to.deep.equal([])
  })
})

// Data on pages is what it says it is: every block of JSON and of YAML parses.
import { expect } from 'chai'
import { parse } from 'yaml'
import { blocksOf, PAGES } from '../support/pages.ts'

/** Reads a block. JSON may be several lines of one value each. */
const READERS: Readonly<Record<string, (text: string) => unknown>> = {
  json: text => JSON.parse(text),
  jsonl: text =>
    text
      .trim()
      .split('\n')
      .map(line => JSON.parse(line)),
  yaml: text => parse(text)
}

describe('the data on the pages', () => {
  for (const [language, read] of Object.entries(READERS)) {
    it(`parses as ${language}`, () => {
      const wrong = PAGES.flatMap(blocksOf)
        .filter(block => block.language === language)
        .flatMap(({ page, line, text }) => {
          try {
            read(text)
            return []
          } catch (error) {
            return [`${page}:${line}: ${error}`]
          }
        })
      expect(wrong).to.deep.equal([])
    })
  }

  it('is there', () => {
    const languages = PAGES.flatMap(blocksOf).map(({ language }) => language)
    expect(languages).to.include.members(['json', 'yaml'])
  })
})

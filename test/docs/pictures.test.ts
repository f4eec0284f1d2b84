// The pictures in docs: small, without anything that runs or is loaded, readable on light and on dark, described for who does not
// see them, and shown somewhere.
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect } from 'chai'
import { PAGES, proseOf, wordsIn } from '../support/pages.ts'
import { ROOT } from '../support/source-files.ts'

const FOLDER = join(ROOT, 'docs/pictures')
const files = readdirSync(FOLDER)
const pictures = files
  .filter(name => name.endsWith('.svg'))
  .map(name => ({ name, text: readFileSync(join(FOLDER, name), 'utf8') }))
const MAX_BYTES = 20_000
/** Of a photograph of a screen. */
const MAX_SCREEN_BYTES = 150_000
/** What a reader needs between a text and what is behind it (WCAG 2.2, AA). */
const LEAST_CONTRAST = 4.5

/** What is not closed, or closed and not open. */
function unbalanced(text: string): string[] {
  const open: string[] = []
  for (const [tag, closing, name = '', selfClosing] of text.matchAll(/<(\/?)([\w:]+)(?:"[^"]*"|[^">])*?(\/?)>/g)) {
    if (closing === '/') {
      if (open.pop() !== name) return [tag]
    } else if (selfClosing !== '/') open.push(name)
  }
  return open
}

/** The colours by their names: those for light, and those for dark. */
function colorsOf(text: string): Readonly<Record<string, string>>[] {
  return Array.from(text.matchAll(/svg \{([^}]*)\}/g), ([, rules = '']) =>
    Object.fromEntries(Array.from(rules.matchAll(/--([\w-]+): (#[0-9a-f]{6})/g), ([, name, color]) => [name, color]))
  )
}

function luminance(color: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map(at => {
    const part = Number.parseInt(color.slice(at, at + 2), 16) / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

function contrast(one = '', other = ''): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b)
  return (light + 0.05) / (dark + 0.05)
}

describe('the pictures in docs', () => {
  it('are all shown, with a text for who does not see them', () => {
    // The benchmarks draw one by themselves, beside their page.
    const shown = PAGES.flatMap(page => wordsIn(proseOf(page), /!\[[^\]]{20,}\]\(([^)]+\.svg)\)/g))
      .filter(path => path !== 'results.svg')
      .map(path => basename(path))
    expect([...new Set(shown)].sort()).to.deep.equal(pictures.map(({ name }) => name).sort())
    const silent = PAGES.filter(page => /!\[[^\]]{0,19}\]\(/.test(proseOf(page)))
    expect(silent).to.deep.equal([])
  })

  it('of screens are PNG, small, and shown, too', () => {
    const shown = PAGES.flatMap(page => wordsIn(proseOf(page), /!\[[^\]]{20,}\]\(([^)]+\.png)\)/g)).map(path =>
      basename(path)
    )
    const screens = files.filter(name => !name.endsWith('.svg'))
    expect([...new Set(shown)].sort()).to.deep.equal(screens.sort())
    for (const name of screens) {
      const bytes = readFileSync(join(FOLDER, name))
      expect(bytes.subarray(1, 4).toString(), name).to.equal('PNG')
      expect(bytes.length, name).to.be.lessThan(MAX_SCREEN_BYTES)
    }
  })

  for (const { name, text } of pictures) {
    it(`${name} is small, whole, and loads and runs nothing`, () => {
      expect(text.length).to.be.lessThan(MAX_BYTES)
      expect(unbalanced(text)).to.deep.equal([])
      expect(text).to.match(/<title id="title">.+<\/title>/)
      expect(text).to.match(/<desc id="desc">.+<\/desc>/)
      expect(text).to.not.match(/<script|<foreignObject|<image|\son\w+=|href|url\((?!#)|@import|<!/i)
    })

    it(`${name} can be read on light and on dark`, () => {
      const [light = {}, dark = {}, ...others] = colorsOf(text)
      expect(others).to.deep.equal([])
      expect(text).to.include('prefers-color-scheme: dark')
      expect(Object.keys(dark)).to.deep.equal(Object.keys(light))
      const sizes = wordsIn(text, /font(?:-size)?: (?:\w+ )?(\d+)px/g).map(Number)
      expect(Math.min(...sizes)).to.be.at.least(14)
      for (const scheme of [light, dark]) {
        const grounds = Object.keys(scheme).filter(key => /^(card|fill|\w+-fill)$/.test(key))
        const pairs = [
          ...grounds.flatMap(ground => ['ink', 'soft'].map(ink => [ink, ground] as const)),
          ...['a', 'b', 'ok', 'bad'].map(ink => [ink, 'card'] as const)
        ]
        const pale = pairs.filter(([ink, ground]) => contrast(scheme[ink], scheme[ground]) < LEAST_CONTRAST)
        expect(pale.map(pair => pair.join(' on '))).to.deep.equal([])
      }
    })
  }
})

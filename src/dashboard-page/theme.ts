// Light, dark, or as the system has it.
import { make, setAttribute } from './dom.ts'

const KEY = 'millrace-theme'
const THEMES: readonly (readonly [theme: string, name: string])[] = [
  ['auto', 'Auto'],
  ['light', 'Light'],
  ['dark', 'Dark']
]

/** The switch between themes. What was chosen is kept in this browser. */
export function themeSwitch(): HTMLElement {
  const stored = read()
  const select = make('select', { class: 'quiet', attributes: { 'aria-label': 'Colours of the page' } })
  for (const [theme, name] of THEMES) select.append(make('option', { text: name, attributes: { value: theme } }))
  select.value = stored
  apply(stored)
  select.addEventListener('change', () => {
    apply(select.value)
    keep(select.value)
  })
  return select
}

function apply(theme: string): void {
  setAttribute(document.documentElement, 'data-theme', theme)
}

function read(): string {
  try {
    const theme = localStorage.getItem(KEY)
    return THEMES.some(([known]) => known === theme) ? (theme ?? 'auto') : 'auto'
  } catch {
    return 'auto' // Some browsers keep nothing for pages of this kind.
  }
}

function keep(theme: string): void {
  try {
    localStorage.setItem(KEY, theme)
  } catch {
    // It holds until the page is closed.
  }
}

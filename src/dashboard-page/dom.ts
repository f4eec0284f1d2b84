// Elements, made and changed. Text goes in as text only, and nothing is touched that is as it should be: what a browser is not told it
// need not lay out.

/** What an element is made with. */
export interface ElementParts {
  readonly class?: string
  readonly text?: string
  /** Attributes; those that are `undefined` are left out. */
  readonly attributes?: Readonly<Record<string, string | undefined>>
}

/** Makes an element. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  parts: ElementParts = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag)
  if (parts.class !== undefined) element.className = parts.class
  if (parts.text !== undefined) element.textContent = parts.text
  for (const [name, value] of Object.entries(parts.attributes ?? {})) {
    if (value !== undefined) element.setAttribute(name, value)
  }
  element.append(...children)
  return element
}

/** Makes an element of a drawing. */
export function draw<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string | number>> = {},
  ...children: readonly (Node | string)[]
): SVGElementTagNameMap[K] {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value))
  element.append(...children)
  return element
}

/** Makes a button that does something. */
export function button(text: string, className: string, press: () => void): HTMLButtonElement {
  const element = make('button', { class: className, text, attributes: { type: 'button' } })
  element.addEventListener('click', press)
  return element
}

/** A section with a heading, and what stands beside that. */
export function card(title: string, id: string, ...beside: readonly Node[]): HTMLElement {
  const heading = make('h2', { text: title, attributes: { id: `${id}-title` } })
  const head = make('div', { class: 'card-head' }, heading, ...beside)
  return make('section', { class: 'card', attributes: { id, 'aria-labelledby': `${id}-title` } }, head)
}

/** Changes the text of an element, if it is another. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text
}

/** Changes the classes of an element, if they are others. */
export function setClass(element: Element, className: string): void {
  if (element.className !== className) element.setAttribute('class', className)
}

/** Changes an attribute, if it is another. `undefined` takes it away. */
export function setAttribute(element: Element, name: string, value: string | undefined): void {
  if (value === undefined) element.removeAttribute(name)
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value)
}

/** Shows an element or hides it. */
export function setShown(element: HTMLElement, isShown: boolean): void {
  if (element.hidden === isShown) element.hidden = !isShown
}

/** Makes the children of an element these, if they are others. */
export function setChildren(element: Element, children: readonly Node[]): void {
  const isSame =
    element.childNodes.length === children.length && children.every((child, at) => element.childNodes[at] === child)
  if (!isSame) element.replaceChildren(...children)
}

// The token: taken out of the address, where it could be seen and copied along, and kept for this tab alone.

const KEY = 'millrace-token'

/** The token that came with the address, or that this tab had before. */
export function takeToken(): string | undefined {
  const { hash, pathname, search } = location
  const given = new URLSearchParams(hash.slice(1)).get('token')
  if (given === null || given === '') return stored()
  history.replaceState(null, '', pathname + search)
  keepToken(given)
  return given
}

/** Keeps a token for this tab. */
export function keepToken(token: string | undefined): void {
  try {
    if (token === undefined) sessionStorage.removeItem(KEY)
    else sessionStorage.setItem(KEY, token)
  } catch {
    // It holds until the page is loaded again.
  }
}

function stored(): string | undefined {
  try {
    return sessionStorage.getItem(KEY) ?? undefined
  } catch {
    return undefined // Some browsers keep nothing for pages of this kind.
  }
}

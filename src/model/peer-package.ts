// Packages that only some subpaths need, and that are therefore not installed with this one: loaded, or told how to install.

/**
 * What a subpath of the package needs.
 *
 * @param subpath as it is imported, such as `millrace/metrics/prometheus`
 * @param name of the package that it needs
 * @param load the function that a file `*-package.cts` is, as it is imported
 * @throws an Error with the code `MODULE_NOT_FOUND` that says how to install the package, if it is not there
 */
export function peerPackage<T>(subpath: string, name: string, load: unknown): T {
  try {
    return (load as () => T)()
  } catch (cause) {
    const { code } = Object(cause) as { readonly code?: string }
    if (code !== 'MODULE_NOT_FOUND') throw cause
    const message = `${subpath} needs ${name}, which is not installed: npm install ${name}`
    throw Object.assign(new Error(message, { cause }), { code })
  }
}

// `npm install` for the tour without a registry: the package is the one that was packed, what it depends on is that of the
// repository. Usage: node tour-install.mjs TARBALL [-D] NAME…
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'

const REPOSITORY = join(import.meta.dirname, '../../node_modules')
const [tarball, ...names] = process.argv.slice(2).filter(argument => !argument.startsWith('-'))

function link(name) {
  const path = join('node_modules', name)
  mkdirSync(dirname(path), { recursive: true })
  symlinkSync(join(REPOSITORY, name), path, 'dir')
}

function unpack(name) {
  const folder = join('node_modules', name)
  mkdirSync(folder, { recursive: true })
  execFileSync('tar', ['-xzf', tarball, '-C', folder, '--strip-components', '1'])
  const { bin, dependencies } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  for (const dependency of Object.keys(dependencies)) link(dependency)
  mkdirSync('node_modules/.bin', { recursive: true })
  for (const [command, file] of Object.entries(bin)) {
    chmodSync(join(folder, file), 0o755)
    symlinkSync(join('..', name, file), join('node_modules/.bin', command))
  }
}

for (const name of names) {
  if (name === 'millrace') unpack(name)
  else link(name)
}

// The package as npm would publish it, laid out in an empty project: with what it depends on, and without its optional peers,
// which only are there if they are asked for. Nothing is downloaded: packages are those of this repository.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { ROOT } from './source-files.ts'

/** What npm says about the package that it made. */
export interface Packed {
  readonly filename: string
  /** Bytes, compressed. */
  readonly size: number
  /** Bytes, as they lie on a disk. */
  readonly unpackedSize: number
  readonly files: readonly { readonly path: string; readonly size: number }[]
}

/** Packs the package as it is built, into a folder. */
export function pack(destination: string): Packed {
  const args = ['pack', '--json', '--silent', '--ignore-scripts', '--pack-destination', destination]
  const output = JSON.parse(execFileSync('npm', args, { cwd: ROOT, encoding: 'utf8' }))
  // npm 11 answers with an array, later ones with an object by package name.
  const [packed] = Array.isArray(output) ? output : Object.values(output)
  return packed as Packed
}

/** Makes a folder that has no packages above it either: those would be found from there. */
export function emptyFolder(prefix: string): string {
  const isClean = (folder: string): boolean => {
    if (['node_modules', 'package.json'].some(name => existsSync(join(folder, name)))) return false
    return dirname(folder) === folder || isClean(dirname(folder))
  }
  const parent = [tmpdir(), '/var/tmp', homedir()].find(folder => existsSync(folder) && isClean(folder))
  if (parent === undefined) throw new Error('There is no folder for temporary files without packages above it')
  return mkdtempSync(join(parent, prefix))
}

/** A project with nothing in it but the package. */
export interface PackedProject {
  readonly folder: string
  /** Puts packages there, as `npm install` would. */
  install(names: readonly string[]): void
  remove(): void
}

/** Makes a project and puts the package there, with its dependencies. */
export function packedProject(): PackedProject {
  const folder = emptyFolder('millrace-packed-')
  const target = join(folder, 'node_modules/millrace')
  mkdirSync(target, { recursive: true })
  const { filename } = pack(folder)
  execFileSync('tar', ['-xzf', join(folder, filename), '-C', target, '--strip-components', '1'])
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
  const project: PackedProject = {
    folder,
    install: names => {
      for (const name of names) {
        const link = join(folder, 'node_modules', name)
        mkdirSync(dirname(link), { recursive: true })
        symlinkSync(join(ROOT, 'node_modules', name), link, 'dir')
      }
    },
    remove: () => rmSync(folder, { recursive: true, force: true })
  }
  project.install(Object.keys(JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).dependencies))
  return project
}

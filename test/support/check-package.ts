// Packs the package as it would be published and checks it: publint, are-the-types-wrong, and what is in it.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'

const ROOT = join(import.meta.dirname, '../..')
/** The packed package may not grow beyond this without somebody deciding it. Bytes, packed. */
const MAX_PACKED_BYTES = 1_600_000

interface Packed {
  readonly filename: string
  readonly size: number
  readonly files: readonly { readonly path: string }[]
}

const folder = mkdtempSync(join(tmpdir(), 'millrace-pack-'))
try {
  const packed = pack(folder)
  const tarball = join(folder, packed.filename)
  const problems = [...contentProblems(packed), ...(await lintProblems(tarball)), ...typeProblems(tarball)]
  for (const problem of problems) console.error(problem)
  console.log(`${packed.filename}: ${packed.files.length} files, ${packed.size} bytes, ${problems.length} problems`)
  process.exitCode = problems.length === 0 ? 0 : 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function pack(destination: string): Packed {
  const args = ['pack', '--json', '--silent', '--ignore-scripts', '--pack-destination', destination]
  const output = JSON.parse(execFileSync('npm', args, { cwd: ROOT, encoding: 'utf8' }))
  // npm 11 answers with an array, later ones with an object by package name.
  const [packed] = Array.isArray(output) ? output : Object.values(output)
  return packed as Packed
}

function contentProblems({ files, size }: Packed): string[] {
  const paths = files.map(({ path }) => path)
  const wanted = ['LICENSE', 'README.md', 'CHANGELOG.md', 'package.json', 'dist/index.js', 'dist/index.d.ts']
  const strays = paths.filter(
    path =>
      !/^dist\/(.*\.(js|js\.map|d\.ts)|dashboard-page\/(index\.html|page\.css|icon\.svg))$/.test(path) &&
      !wanted.includes(path)
  )
  return [
    ...wanted.filter(path => !paths.includes(path)).map(path => `missing in the package: ${path}`),
    ...strays.map(path => `should not be in the package: ${path}`),
    ...(size > MAX_PACKED_BYTES ? [`the package has ${size} bytes, at most ${MAX_PACKED_BYTES} were expected`] : [])
  ]
}

async function lintProblems(tarball: string): Promise<string[]> {
  const data = readFileSync(tarball)
  const arrayBuffer = data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength)
  const { messages, pkg } = await publint({ pack: { tarball: arrayBuffer as ArrayBuffer }, strict: true })
  return messages.map(message => `publint: ${formatMessage(message, pkg, { color: false }) ?? message.code}`)
}

/** The package is ESM only: that CommonJS cannot require it on old versions of Node is known. */
function typeProblems(tarball: string): string[] {
  const attw = join(ROOT, 'node_modules/.bin/attw')
  try {
    execFileSync(attw, [tarball, '--profile', 'esm-only', '--format', 'ascii', '--no-color'], { encoding: 'utf8' })
    return []
  } catch (error) {
    return [`are-the-types-wrong: ${(error as { stdout?: string }).stdout ?? error}`]
  }
}

// Packs the package as it would be published and checks it: publint, are-the-types-wrong, what is in it, and how large it is, on
// a disk and in a bundle.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { type Packed, pack } from './packed.ts'

const ROOT = join(import.meta.dirname, '../..')

/** Nothing may grow beyond this without somebody deciding it. Bytes. */
const LIMITS = {
  /** What is downloaded. */
  packed: 950_000,
  /** What lies on a disk. */
  unpacked: 3_400_000,
  /** What a bundler makes of `import { Worker } from 'millrace'`, minified, without the AWS SDK. */
  bundled: 420_000
}

const folder = mkdtempSync(join(tmpdir(), 'millrace-pack-'))
try {
  const packed = pack(folder)
  const tarball = join(folder, packed.filename)
  const sizes = { packed: packed.size, unpacked: packed.unpackedSize, bundled: await bundledSize() }
  const problems = [
    ...contentProblems(packed),
    ...sizeProblems(sizes),
    ...(await lintProblems(tarball)),
    ...typeProblems(tarball)
  ]
  for (const problem of problems) console.error(problem)
  const told = Object.entries(sizes).map(([what, size]) => `${what} ${size} bytes`)
  console.log(`${packed.filename}: ${packed.files.length} files, ${told.join(', ')}, ${problems.length} problems`)
  process.exitCode = problems.length === 0 ? 0 : 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function contentProblems({ files }: Packed): string[] {
  const paths = files.map(({ path }) => path)
  const wanted = ['LICENSE', 'README.md', 'CHANGELOG.md', 'package.json', 'dist/index.js', 'dist/index.d.ts']
  const strays = paths.filter(
    path =>
      !/^dist\/(.*\.(c?js|d\.c?ts)|dashboard-page\/(index\.html|page\.css|icon\.svg))$/.test(path) &&
      !wanted.includes(path)
  )
  return [
    ...wanted.filter(path => !paths.includes(path)).map(path => `missing in the package: ${path}`),
    ...strays.map(path => `should not be in the package: ${path}`)
  ]
}

function sizeProblems(sizes: typeof LIMITS): string[] {
  return Object.entries(LIMITS).flatMap(([what, limit]) => {
    const size = sizes[what as keyof typeof LIMITS]
    return size > limit ? [`the package has ${size} bytes (${what}), at most ${limit} were expected`] : []
  })
}

/** Of the AWS SDK nothing is counted, and nothing of Node: what is ours, with the small packages that it needs. */
async function bundledSize(): Promise<number> {
  const { outputFiles } = await build({
    stdin: { contents: "export { Worker } from './dist/index.js'", resolveDir: ROOT },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    external: ['@aws-sdk/*', '@smithy/*']
  })
  return outputFiles.reduce((sum, { contents }) => sum + contents.byteLength, 0)
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

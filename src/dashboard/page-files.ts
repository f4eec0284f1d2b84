// The files of the page: which ones there are, and what they are served as. They are read once, so that no path of a request ever
// reaches a file system.
import { readFile } from 'node:fs/promises'
import { BugError } from '../model/errors.ts'

/** A file as it is served. */
export interface PageFile {
  readonly contentType: string
  readonly content: Uint8Array
}

const SCRIPT = 'text/javascript; charset=utf-8'

/** Scripts of the page, in dashboard-page/. */
export const PAGE_SCRIPTS: readonly string[] = [
  ...['main', 'app', 'connection', 'dom', 'theme', 'pass', 'tooltip', 'banner-view', 'summary-view', 'range-view'],
  ...['lineage-view', 'lag-view', 'workers-view', 'shards-view', 'shard-row', 'events-view'],
  ...['actions-view', 'action-dialog', 'operations-view', 'worker-mark']
]

/** Decisions that the page shares with the server, in dashboard/. */
export const SHARED_SCRIPTS: readonly string[] = [
  ...['event-stream-rules', 'view-state', 'wording-rules', 'range-rules', 'lineage-rules', 'chart-rules'],
  ...['table-rules', 'dialog-rules']
]

const OTHERS: readonly (readonly [file: string, contentType: string])[] = [
  ['index.html', 'text/html; charset=utf-8'],
  ['page.css', 'text/css; charset=utf-8'],
  ['icon.svg', 'image/svg+xml']
]

/** Reads them, by the paths that they are served at. @throws BugError if the page was not built */
export async function readPageFiles(folder: URL = builtFolder()): Promise<ReadonlyMap<string, PageFile>> {
  const wanted = [
    ...PAGE_SCRIPTS.map(name => [`dashboard-page/${name}.js`, SCRIPT] as const),
    ...SHARED_SCRIPTS.map(name => [`dashboard/${name}.js`, SCRIPT] as const),
    ...OTHERS.map(([file, contentType]) => [`dashboard-page/${file}`, contentType] as const)
  ]
  const files = new Map<string, PageFile>()
  try {
    for (const [path, contentType] of wanted) {
      const file = { contentType, content: await readFile(new URL(path, folder)) }
      files.set(`/${path}`, file)
      if (path.endsWith('/index.html')) files.set('/', file)
    }
  } catch (cause) {
    throw new BugError('The page of the dashboard is not there: was the package built?', { cause })
  }
  return files
}

/** Browsers run what was built, also when the server runs from its sources. */
function builtFolder(): URL {
  return new URL(import.meta.url.endsWith('.ts') ? '../../dist/' : '../', import.meta.url)
}

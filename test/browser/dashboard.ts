// The dashboard in a real browser: what it weighs, what an update costs, what axe says of it, and whether actions go the way that
// they should. Takes pictures. Not part of `npm test`: it needs Chromium, at CHROMIUM_PATH or under one of its usual names
// (`apt-get install chromium`).
import { strict as assert } from 'node:assert'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'
import { type Dashboard, serveDashboard } from '../../src/dashboard/dashboard.ts'
import { DashboardFleetDouble, type FleetShape } from '../support/dashboard-fleet.ts'

const ROOT = join(import.meta.dirname, '../..')
const PICTURES = join(ROOT, 'test/browser/pictures')
const TOKEN = 'a-token-for-the-browser'
const MAX_BYTES = 150_000
const MAX_UPDATE_MS = 50
const UPDATES = 24
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

function chromiumPath(): string {
  const given = process.env.CHROMIUM_PATH
  if (given !== undefined) return given
  for (const name of ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome']) {
    try {
      return execFileSync('which', [name], { encoding: 'utf8' }).trim()
    } catch {
      // under another name, perhaps
    }
  }
  throw new Error(
    'There is no Chromium here: install one (apt-get install chromium), or say in CHROMIUM_PATH where it is'
  )
}

async function served(
  shape: FleetShape,
  withToken: boolean,
  work: (dashboard: Dashboard, fleet: DashboardFleetDouble) => Promise<void>
) {
  const fleet = new DashboardFleetDouble(shape, Date.now() - 1_500_000)
  // Half an hour of it, so that the pictures show a line.
  const dashboard = await serveDashboard(fleet, {
    port: 0,
    everyMs: 500,
    lagEveryMs: 2_000,
    ...(withToken && { token: TOKEN })
  })
  try {
    await work(dashboard, fleet)
  } finally {
    await dashboard.close()
  }
}

async function opened(
  browser: Browser,
  url: string,
  look: Parameters<Browser['newContext']>[0],
  work: (page: Page, errors: string[]) => Promise<void>
) {
  const context = await browser.newContext({ viewport: { width: 1360, height: 900 }, reducedMotion: 'reduce', ...look })
  const page = await context.newPage()
  const errors: string[] = []
  page.on('pageerror', error => errors.push(error.message))
  page.on('console', message => {
    if (['error', 'warning'].includes(message.type())) errors.push(message.text())
  })
  try {
    await page.goto(url)
    await page.locator('#range .block').first().waitFor()
    await work(page, errors)
  } finally {
    await context.close()
  }
  assert.deepEqual(errors, [], 'the browser has something to complain about')
}

/** Sums up what was sent before the stream. */
async function weigh(browser: Browser, url: string): Promise<number> {
  let bytes = 0
  const context = await browser.newContext()
  const page = await context.newPage()
  const sizes: Promise<void>[] = []
  page.on('response', response => {
    if (response.url().includes('/api/')) return
    const weighed = response.body().then(body => {
      bytes += body.byteLength
    })
    sizes.push(weighed)
  })
  await page.goto(url)
  await page.locator('#range .block').first().waitFor()
  await Promise.all(sizes)
  await context.close()
  return bytes
}

/** Main-thread work of updates: from the first byte of a frame that is parsed until the picture is laid out. */
async function timed(page: Page): Promise<{ readonly median: number; readonly max: number; readonly tasks: number }> {
  const session = await page.context().newCDPSession(page)
  await session.send('Performance.enable', { timeDomain: 'threadTicks' })
  const spent = async (): Promise<number> => {
    const { metrics } = await session.send('Performance.getMetrics')
    return 1_000 * (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? 0)
  }
  await page.evaluate(() => {
    const found: number[] = []
    Object.assign(globalThis, { longTasks: found })
    const types = ['longtask'] as unknown as ['measure'] // the types are those of Node
    new PerformanceObserver(list => found.push(...list.getEntries().map(({ duration }) => duration))).observe({
      entryTypes: types
    })
  })
  const drawn = (): Promise<number> => page.evaluate(() => performance.getEntriesByName('millrace-drawn').length)
  const costs: number[] = []
  let before = await spent()
  let seen = await drawn()
  while (costs.length < UPDATES) {
    await page.waitForFunction(count => performance.getEntriesByName('millrace-drawn').length > count, seen, {
      polling: 100
    })
    await page.waitForTimeout(120)
    const [after, now] = [await spent(), await drawn()]
    costs.push((after - before) / Math.max(1, now - seen))
    before = after
    seen = now
  }
  const draws = await page.evaluate(() =>
    performance.getEntriesByName('millrace-drawn').map(({ duration }) => duration)
  )
  const inOrder = draws.slice(-UPDATES).sort((a, b) => a - b)
  console.log(
    `     of which scripts draw ${inOrder[inOrder.length >> 1]?.toFixed(1)} ms (median), ${inOrder.at(-1)?.toFixed(1)} ms (max)`
  )
  const tasks = await page.evaluate(() => (globalThis as unknown as { longTasks: number[] }).longTasks)
  const sorted = [...costs].sort((a, b) => a - b)
  return { median: sorted[sorted.length >> 1] ?? 0, max: Math.max(...sorted, ...tasks), tasks: tasks.length }
}

async function faults(page: Page): Promise<string[]> {
  await page.evaluate(AXE)
  const found = (await page.evaluate('axe.run()')) as {
    readonly violations: readonly {
      readonly id: string
      readonly impact: string
      readonly nodes: readonly { readonly html: string }[]
    }[]
  }
  return found.violations
    .filter(({ impact }) => ['serious', 'critical'].includes(impact))
    .map(
      ({ id, impact, nodes }) =>
        `${impact} ${id}: ${nodes
          .slice(0, 3)
          .map(({ html }) => html.slice(0, 160))
          .join(' | ')}`
    )
}

async function main(): Promise<void> {
  const executablePath = chromiumPath()
  assert.ok(existsSync(join(ROOT, 'dist/dashboard-page/main.js')), 'dist is missing: npm run build')
  mkdirSync(PICTURES, { recursive: true })
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
  const problems: string[] = []
  const check = (isRight: boolean, text: string): void => {
    console.log(`${isRight ? 'ok  ' : 'FAIL'} ${text}`)
    if (!isRight) problems.push(text)
  }
  try {
    for (const [shards, workers] of [
      [4, 2],
      [64, 8],
      [1_000, 20]
    ] as const) {
      await served({ shards, workers, isTroubled: shards === 64, isResharded: shards !== 4 }, true, async dashboard => {
        for (const [name, look] of [
          ['light', { colorScheme: 'light' }],
          ['dark', { colorScheme: 'dark' }],
          ['narrow', { colorScheme: 'light', viewport: { width: 400, height: 800 } }]
        ] as const) {
          await opened(browser, dashboard.urlWithToken ?? '', { ...look, bypassCSP: true }, async page => {
            await page.locator('.chart .max[d^=M]').waitFor()
            await page.waitForTimeout(4_500)
            await page.screenshot({ path: join(PICTURES, `${shards}-${name}.png`), fullPage: true })
            const found = await faults(page)
            check(
              found.length === 0,
              `${shards} shards, ${name}: axe finds ${found.length} serious faults ${found.join('; ')}`
            )
            const isWider = await page.evaluate(
              'document.documentElement.scrollWidth > document.documentElement.clientWidth'
            )
            check(isWider === false, `${shards} shards, ${name}: nothing is wider than the page`)
          })
        }
      })
    }
    // Those that the documentation shows.
    await served({ shards: 64, workers: 8, isTroubled: true, isResharded: true }, false, async dashboard => {
      for (const colorScheme of ['light', 'dark'] as const) {
        await opened(browser, dashboard.url, { colorScheme, viewport: { width: 1160, height: 860 } }, async page => {
          await page.waitForTimeout(colorScheme === 'light' ? 40_000 : 4_000)
          await page.screenshot({ path: join(PICTURES, `dashboard-${colorScheme}.png`) })
        })
      }
    })
    await served({ shards: 1_000, workers: 20, isResharded: true }, false, async dashboard => {
      const bytes = await weigh(browser, dashboard.url)
      check(bytes < MAX_BYTES, `the page weighs ${bytes} bytes`)
      await opened(browser, dashboard.url, {}, async page => {
        await page.waitForTimeout(3_000)
        const { median, max, tasks } = await timed(page)
        check(
          max < MAX_UPDATE_MS,
          `an update at 1,000 shards takes ${median.toFixed(1)} ms of the main thread (median), ${max.toFixed(1)} ms (max), ${tasks} long tasks`
        )
        check(
          (await page.locator('.actions:visible, .choice:visible').count()) === 0,
          'without a token there are no buttons'
        )
      })
    })
    await served({ shards: 64, workers: 8, isTroubled: true }, true, (dashboard, fleet) =>
      opened(browser, dashboard.urlWithToken ?? '', {}, async page => {
        check(!page.url().includes('token'), 'the token is taken out of the address')
        await page.getByLabel('Choose shard 3', { exact: true }).check()
        await page.getByLabel('Choose shard 4', { exact: true }).check()
        await page.getByRole('button', { name: 'Pause…' }).click()
        await page.getByLabel('Why, for others to see').fill('the dialog is tried')
        await page.screenshot({ path: join(PICTURES, 'dialog.png') })
        await page.getByRole('button', { name: 'Pause 2 shards' }).click()
        await page.getByText('shards 3 and 4 paused').first().waitFor()
        check(
          JSON.stringify(fleet.calls[0]).includes('"why":"the dialog is tried"'),
          'an action goes through its dialog'
        )
        await page.getByRole('button', { name: 'Choose none' }).click()
        await page.getByRole('button', { name: 'Reset…' }).click()
        await page.getByLabel('The newest: what').check()
        const reset = page.getByRole('button', { name: 'Reset all 64 shards' })
        check(await reset.isDisabled(), 'a reset of everything is not one press away')
        await page.getByLabel('Type click-counter to confirm').fill('click-counter')
        await page.screenshot({ path: join(PICTURES, 'reset.png') })
        await page.keyboard.press('Escape')
        check(fleet.calls.length === 1, 'nothing is done without a confirmation')
        await page.reload()
        await page.locator('.actions:visible').waitFor()
        check(true, 'the token outlives a reload of the tab')
      })
    )
  } finally {
    await browser.close()
  }
  if (problems.length > 0) process.exitCode = 1
}

await main()

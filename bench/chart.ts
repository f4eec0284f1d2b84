// Draws the results as SVG: how many times as fast as the others, and records per second. Text stays text; the colours follow
// the scheme of whoever looks at it.
import { DEAGGREGATION_CASES } from './parts/deaggregation.ts'
import type { Results, ThroughputResult } from './results.ts'
import { PAYLOAD_NAMES, payloadOf } from './source/payloads.ts'
import { throughputRatios } from './summary.ts'

/** One bar. */
interface Bar {
  readonly label: string
  readonly value: number
  /** What stands behind the bar. */
  readonly text: string
  /** Whether it is ours. */
  readonly isOurs: boolean
  /** Where what lies between least and greatest begins and ends. */
  readonly range?: readonly [number, number]
}

/** Bars with one scale. */
interface Panel {
  readonly title: string
  readonly bars: readonly Bar[]
  /** A value to draw a line at. */
  readonly mark?: number
}

/** Where a bar is drawn. */
interface Place {
  readonly left: number
  readonly y: number
  readonly scale: (value: number) => number
  /** No text begins before this value: the line is there. */
  readonly least: number
}

const WIDTH = 860
const MARGIN = 24
const LABEL_WIDTH = 270
const VALUE_WIDTH = 130
const BAR_HEIGHT = 18
const BAR_GAP = 8
const TITLE_HEIGHT = 34
const PANEL_GAP = 22
const HEAD_HEIGHT = 64

const STYLE = `
    .page { fill: #ffffff } .ink { fill: #1f2328 } .faint { fill: #59636e } .ours { fill: #0969da } .others { fill: #a3adb8 }
    .line { stroke: #59636e; stroke-width: 1 } .mark { stroke: #bc4c00; stroke-width: 1.5; stroke-dasharray: 4 3 }
    text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif } .title { font-weight: 600; font-size: 15px }
    .number { font-variant-numeric: tabular-nums } .head { font-weight: 700; font-size: 18px }
    @media (prefers-color-scheme: dark) {
      .page { fill: #0d1117 } .ink { fill: #e6edf3 } .faint { fill: #9198a1 } .ours { fill: #4493f8 }
      .others { fill: #4d5560 } .line { stroke: #9198a1 } .mark { stroke: #f0883e }
    }`

/** The chart. Parts that were not measured are left out. */
export function drawChart(results: Results): string {
  const panels = [ratioPanel(results), ...throughputPanels(results)].filter(({ bars }) => bars.length > 0)
  const drawn: string[] = []
  let top = HEAD_HEIGHT
  for (const panel of panels) {
    drawn.push(drawPanel(panel, top))
    top += heightOf(panel) + PANEL_GAP
  }
  const { machine } = results
  const where = `${machine.cpu}, one core for the client, Node.js ${machine.node}. Medians; lines from least to most.`
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${top}" viewBox="0 0 ${WIDTH} ${top}" role="img">`,
    '  <title>How fast Millrace reads Kinesis, next to other ways</title>',
    `  <style>${STYLE}\n  </style>`,
    `  <rect class="page" width="${WIDTH}" height="${top}" rx="8"/>`,
    `  ${text(MARGIN, 32, 'From GetRecords to the handler', 'ink head')}`,
    `  ${text(MARGIN, 52, where, 'faint')}`,
    ...drawn,
    '</svg>',
    ''
  ].join('\n')
}

function ratioPanel(results: Results): Panel {
  const throughput = throughputRatios(results).map(({ name, ratio }) => ({ name, ratio }))
  const deaggregation = results.deaggregation.map(({ case: name, ratio }) => ({ name, ratio }))
  const bars = [...throughput, ...deaggregation]
    .filter(({ ratio }) => Number.isFinite(ratio))
    .map(({ name, ratio }) => ({
      label: RATIO_LABELS[name] ?? name,
      value: ratio,
      text: `${ratio.toFixed(2)} ×`,
      isOurs: true
    }))
  return { title: 'Millrace: times as fast as', bars, mark: 1 }
}

const RATIO_LABELS: Readonly<Record<string, string>> = {
  kplVsBareLoop: 'KPL: bare SDK loop',
  kplVsRawReader: 'KPL: raw reader',
  kplCborVsBareLoop: 'KPL, CBOR: bare SDK loop',
  smallVsBareLoop: '100 B: bare SDK loop',
  smallVsRawReader: '100 B: raw reader',
  kilobyteVsBareLoop: '1 KB: bare SDK loop',
  kilobyteVsRawReader: '1 KB: raw reader',
  ...Object.fromEntries(Object.keys(DEAGGREGATION_CASES).map(name => [name, deaggregationLabel(name)]))
}

function deaggregationLabel(name: string): string {
  const [, bytes = '', how = ''] = /^deaggregate(\d+)(\w*)$/.exec(name) ?? []
  const input = { Base64: ', base64', Bytes: ', bytes', Batch: ', batch of 4', '': ', base64' }[how] ?? how
  return `aws-kinesis-agg: ${bytes} B${input}`
}

function throughputPanels({ throughput }: Results): Panel[] {
  return PAYLOAD_NAMES.map(name => ({
    title: `Records per second: answers of ${payloadOf(name).title}`,
    bars: throughput.filter(({ payload, runs }) => payload === name && runs.length > 0).map(throughputBar)
  }))
}

function throughputBar({ contender, recordsPerSecond, megabytesPerSecond }: ThroughputResult): Bar {
  const { median, min, max } = recordsPerSecond
  return {
    label: contender,
    value: median,
    text: `${thousands(median)} · ${megabytesPerSecond.toFixed(0)} MB/s`,
    isOurs: contender.startsWith('millrace'),
    range: [min, max]
  }
}

function thousands(value: number): string {
  return value >= 1e6 ? `${(value / 1e6).toFixed(2)} M` : `${Math.round(value / 1e3)} k`
}

function heightOf({ bars }: Panel): number {
  return TITLE_HEIGHT + bars.length * (BAR_HEIGHT + BAR_GAP)
}

function drawPanel({ title, bars, mark }: Panel, top: number): string {
  const most = Math.max(...bars.map(({ value, range }) => range?.[1] ?? value), mark ?? 0)
  const scale = (value: number): number => (value / most) * (WIDTH - 2 * MARGIN - LABEL_WIDTH - VALUE_WIDTH)
  const left = MARGIN + LABEL_WIDTH
  const parts = [text(MARGIN, top + 18, title, 'ink title')]
  for (const [i, bar] of bars.entries())
    parts.push(...drawBar(bar, { left, y: top + TITLE_HEIGHT + i * (BAR_HEIGHT + BAR_GAP), scale, least: mark ?? 0 }))
  if (mark !== undefined) {
    const x = (left + scale(mark)).toFixed(1)
    const [from, to] = [top + TITLE_HEIGHT - 4, top + heightOf({ title, bars }) - 2]
    parts.push(`<line class="mark" x1="${x}" y1="${from}" x2="${x}" y2="${to}"/>`)
  }
  return parts.map(part => `  ${part}`).join('\n')
}

function drawBar({ label, value, text: behind, isOurs, range }: Bar, { left, y, scale, least }: Place): string[] {
  const middle = y + BAR_HEIGHT / 2
  const base = middle + 4.5
  const end = left + scale(Math.max(value, least, range?.[1] ?? value))
  const parts = [
    text(MARGIN, base, label, 'ink'),
    `<rect class="${isOurs ? 'ours' : 'others'}" x="${left}" y="${y}" width="${scale(value).toFixed(1)}" height="${BAR_HEIGHT}" rx="3"/>`,
    text(end + 8, base, behind, 'faint number')
  ]
  if (range !== undefined) {
    const [from, to] = range.map(edge => (left + scale(edge)).toFixed(1))
    parts.push(`<line class="line" x1="${from}" y1="${middle}" x2="${to}" y2="${middle}"/>`)
  }
  return parts
}

function text(x: number, y: number, content: string, kind: string): string {
  const escaped = content.replace(/[&<>]/g, sign => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[sign] ?? sign)
  return `<text class="${kind}" x="${x.toFixed(1)}" y="${y.toFixed(1)}">${escaped}</text>`
}

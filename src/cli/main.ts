#!/usr/bin/env node
// The program `millrace` as a process.
import { runProcess } from './own-process.ts'

async function main(): Promise<void> {
  await runProcess()
}

await main()

#!/usr/bin/env node
// Stands in the place of `java` for the bootstrap programs of KCL's clients, which it is handed to with `--java`.
import { runAsJava } from './own-process.ts'

async function main(): Promise<void> {
  await runAsJava()
}

await main()

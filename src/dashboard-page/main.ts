// Where the page begins.
import { App } from './app.ts'

function main(): void {
  new App().start()
}

await main()

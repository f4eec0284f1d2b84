// Mocha's own spec reporter, and a last line that says in one breath how it went.
const { reporters } = require('mocha')

class SpecWithCounts extends reporters.Spec {
  epilogue() {
    super.epilogue()
    const { passes = 0, failures = 0 } = this.stats
    console.log(`${passes} passed, ${failures} failed`)
  }
}

module.exports = SpecWithCounts

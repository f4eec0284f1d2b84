import { expect } from 'chai'
import { PAGE_SCRIPTS, readPageFiles, SHARED_SCRIPTS } from '../../src/dashboard/page-files.ts'
import { BugError } from '../../src/model/errors.ts'

describe('readPageFiles', () => {
  it('reads every file of the page, and nothing that comes from elsewhere', async () => {
    const files = await readPageFiles()
    expect(files.size).to.equal(PAGE_SCRIPTS.length + SHARED_SCRIPTS.length + 4)
    expect(files.get('/')).to.equal(files.get('/dashboard-page/index.html'))
    let bytes = 0
    for (const { content } of new Set(files.values())) {
      bytes += content.byteLength
      const text = Buffer.from(content).toString().replaceAll('http://www.w3.org/2000/svg', '')
      expect(text).to.not.match(/https?:\/\/|@import|url\(/)
    }
    expect(bytes).to.be.lessThan(150_000)
  })

  it('says that the page was not built', async () => {
    const problem = await readPageFiles(new URL('file:///nowhere/')).catch(error => error)
    expect(problem).to.be.instanceOf(BugError)
  })
})

import { expect } from 'chai'
import { parseProperties } from '../../src/multilang/properties.ts'
import { PropertySheet, plain, shownValue } from '../../src/multilang/property-rules.ts'

const sheetOf = (text: string): PropertySheet => new PropertySheet(parseProperties(Buffer.from(text, 'latin1')))
const kinds = (sheet: PropertySheet): string[] => sheet.findings.map(({ kind, property }) => `${kind} ${property}`)
const problems = (sheet: PropertySheet): string[] => sheet.problems.map(each => `${each.property} ${each.problem}`)

describe('PropertySheet', () => {
  it('gives values without the blanks around them, and notes that they are honoured', () => {
    const sheet = sheetOf('applicationName =  orders  \n')
    expect(sheet.text('applicationName')).to.equal('orders')
    expect(sheet.findings).to.deep.equal([
      {
        ...{ kind: 'honoured', property: 'applicationName', line: 1, value: 'orders' },
        told: 'applicationName; also the name of the lease table'
      }
    ])
  })

  it('takes the last of several, and says which do not count', () => {
    const sheet = sheetOf('tableName=a\nAwsCredentialsProvider=X\ntableName=b\nawscredentialsprovider=Y')
    expect(sheet.text('tableName')).to.equal('b')
    expect(sheet.text('AwsCredentialsProvider')).to.equal('Y')
    expect(kinds(sheet).filter(kind => kind.startsWith('overridden'))).to.deep.equal([
      'overridden tableName',
      'overridden AwsCredentialsProvider'
    ])
    expect(sheet.findings[0]).to.include({ line: 1, told: 'line 3 says it again, and counts' })
  })

  it('tells what is not known with what may be meant, and goes on', () => {
    const sheet = sheetOf('StreamName=a\nqueueDepth=1')
    expect(sheet.findings.map(({ told }) => told)).to.deep.equal([
      'not known, so ignored, which KCL does in silence; did you mean streamName?',
      'not known, so ignored, which KCL does in silence'
    ])
    expect(sheet.findings.map(({ value }) => value)).to.deep.equal([undefined, undefined])
    expect(problems(sheet)).to.deep.equal([])
  })

  it('takes a key of ours that is not known for a mistake', () => {
    expect(problems(sheetOf('millrace.modus=solo'))).to.deep.equal([
      'millrace.modus is not known; did you mean millrace.mode?'
    ])
  })

  it('tells what has no effect, though nobody asks for it', () => {
    const [finding] = sheetOf('maxActiveThreads=4').findings
    expect(finding).to.include({ kind: 'no-effect', value: '4', told: 'there are no threads: a child costs none' })
  })

  it('refuses what it cannot pass on to a client of the SDK, unless it is to ignore that', () => {
    const key = 'kinesisClient.httpClientBuilder.maxConcurrency'
    expect(problems(sheetOf(`${key}=9`))[0]).to.match(/Concurrency is a setting of a class .* millrace\.ignore$/)
    expect(problems(sheetOf('AwsCredentialsProvider.profileName=x'))[0]).to.match(/is a setting of a class/)
    const ignoring = sheetOf(`${key}=9\nmillrace.ignore = other, ${key}`)
    expect(problems(ignoring)).to.deep.equal([])
    expect(kinds(ignoring)).to.deep.equal([`ignored ${key}`])
  })

  it('says on which line the file is malformed', () => {
    expect(sheetOf('a=1\nb=\\u1').problems).to.deep.equal([
      { property: 'the line', line: 2, problem: 'has a \\u without four hexadecimal digits behind it' }
    ])
  })

  describe('whole numbers', () => {
    const range = { min: 200, max: 60_000 }
    const integer = (value: string, more: object = {}): [number | undefined, PropertySheet] => {
      const sheet = sheetOf(`idleTimeBetweenReadsInMillis=${value}`)
      return [sheet.integer('idleTimeBetweenReadsInMillis', { ...range, ...more }), sheet]
    }

    it('are those of the range, both ends included', () => {
      expect(integer('200')[0]).to.equal(200)
      expect(integer('+60000')[0]).to.equal(60_000)
    })

    for (const value of ['199', '60001', '1.5', '1e3', '12a', '0x10', '-300']) {
      it(`are not ${value}`, () => {
        const [number, sheet] = integer(value)
        expect(number).to.equal(undefined)
        expect(problems(sheet)).to.deep.equal([
          `idleTimeBetweenReadsInMillis is "${value}", expected a whole number from 200 to 60,000`
        ])
        expect(kinds(sheet)).to.deep.equal([])
      })
    }

    it('are moved into the range where that is said to be right, and it is told', () => {
      const [number, sheet] = integer('100', { because: 'of a limit' })
      expect(number).to.equal(200)
      expect(sheet.findings).to.have.length(1)
      expect(sheet.findings[0]).to.include({ kind: 'adjusted', value: '100', told: '200 is used: of a limit' })
    })

    it('are not applied where Java would not apply them', () => {
      const [number, sheet] = integer('0')
      expect(number).to.equal(undefined)
      expect(problems(sheet)).to.deep.equal([])
      expect(sheet.findings[0]).to.deep.include({
        kind: 'not-applied',
        told: 'as in KCL for Java, which does not apply 0 to this key: 1500 stays'
      })
      expect(sheet.has('idleTimeBetweenReadsInMillis')).to.equal(false)
    })
  })

  describe('flags', () => {
    for (const [value, expected] of Object.entries({
      true: true,
      YES: true,
      on: true,
      1: true,
      false: false,
      No: false
    })) {
      it(`are ${expected} for ${value}`, () =>
        expect(sheetOf(`leaseTablePitrEnabled=${value}`).flag('leaseTablePitrEnabled')).to.equal(expected))
    }

    it('are nothing else', () => {
      const sheet = sheetOf('leaseTablePitrEnabled=maybe')
      expect(sheet.flag('leaseTablePitrEnabled')).to.equal(undefined)
      expect(problems(sheet)).to.deep.equal(['leaseTablePitrEnabled is "maybe", expected true or false'])
    })
  })

  it('knows words in any case, and says which there are', () => {
    const words = ['FANOUT', 'POLLING', 'DEFAULT'] as const
    expect(sheetOf('retrievalMode=Polling').word('retrievalMode', words)).to.equal('POLLING')
    const sheet = sheetOf('retrievalMode=push')
    sheet.word('retrievalMode', words)
    expect(problems(sheet)).to.deep.equal(['retrievalMode is "push", expected FANOUT, POLLING or DEFAULT'])
  })

  it('takes an empty value for none', () => {
    const sheet = sheetOf('tableName=')
    expect(sheet.text('tableName')).to.equal(undefined)
    expect(sheet.has('tableName')).to.equal(false)
    expect(kinds(sheet)).to.deep.equal(['not-applied tableName'])
  })

  it('tells what is missing, on the line where it is empty', () => {
    const form = { pattern: /./, expected: 'a name' }
    const sheet = sheetOf('\napplicationName=')
    expect(sheet.required('applicationName', form)).to.equal('')
    expect(sheet.required('streamName', form)).to.equal('')
    expect(sheet.problems).to.deep.equal([
      { property: 'applicationName', line: 2, problem: 'is missing, expected a name' },
      { property: 'streamName', problem: 'is missing, expected a name' }
    ])
  })

  it('takes back what it has noted as honoured when the value turns out to be of no use', () => {
    const sheet = sheetOf('millrace.healthHost=here\ntableName=a')
    sheet.text('millrace.healthHost')
    sheet.text('tableName')
    sheet.refuse('millrace.healthHost', 'is given alone')
    expect(kinds(sheet)).to.deep.equal(['honoured tableName'])
    expect(problems(sheet)).to.deep.equal(['millrace.healthHost is given alone'])
  })

  it('tells findings in the order of the file, with what is missing at the end', () => {
    const sheet = sheetOf('tableName=a\nStrange=1\nmaxActiveThreads=1')
    sheet.absent('millrace.mode', 'mixed')
    sheet.text('tableName')
    expect(kinds(sheet)).to.deep.equal([
      ...['honoured tableName', 'unknown Strange', 'no-effect maxActiveThreads', 'missing millrace.mode']
    ])
  })
})

describe('shownValue', () => {
  it('shows providers of credentials without their arguments', () => {
    const value = 'StaticCredentialsProvider|id|s3cret , DefaultCredentialsProvider'
    expect(shownValue({ key: 'AwsCredentialsProvider', value })).to.equal(
      'StaticCredentialsProvider|…, DefaultCredentialsProvider'
    )
  })

  it('shows no key that stands where a provider should', () => {
    const [key, id] = ['aB3dE6gH9jK2mN5pQ8rS1tU4vW7xY0zA3bC6dE/g', 'AKIA0123456789ABCDEF']
    const value = `StaticCredentialsProvider:${id}:${key}, StaticCredentialsProvider ${id} ${key}, ${id}, ${key}, com.example.Mine`
    expect(shownValue({ key: 'AwsCredentialsProvider', value })).to.equal(
      'StaticCredentialsProvider…, StaticCredentialsProvider…, …, …, com.example.Mine'
    )
  })

  it('shows the beginning of what is long', () => {
    expect(shownValue({ key: 'a', value: 'x'.repeat(300) })).to.equal(`${'x'.repeat(200)}…`)
  })
})

describe('plain', () => {
  it('takes links and code marks out of Markdown', () =>
    expect(plain('see [credentials](#credentials) and `mode`')).to.equal('see credentials and mode'))
})

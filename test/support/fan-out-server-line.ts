// A line between clients and servers, as a proxy of TCP: it counts what it carries, and it can be cut, or go dead without a
// word to either side. Which server a client is connected with, its first bytes decide.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

interface Connection {
  readonly client: Socket
  server?: Socket
  isDead: boolean
}

/** A line that runs. */
export class Line {
  /** Bytes that were handed to clients. */
  bytesToClients = 0
  /** Connections that clients have made. */
  connections = 0
  readonly #open = new Set<Connection>()
  readonly #server: Server
  readonly #portFor: (firstBytes: Uint8Array) => number

  private constructor(portFor: (firstBytes: Uint8Array) => number) {
    this.#portFor = portFor
    this.#server = createServer(client => this.#accept(client))
  }

  /** Starts a line to the servers whose ports `portFor` names. */
  static async start(portFor: (firstBytes: Uint8Array) => number): Promise<Line> {
    const line = new Line(portFor)
    line.#server.listen(0, '127.0.0.1')
    await once(line.#server, 'listening')
    return line
  }

  /** Where clients connect to. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** How many clients are connected now. */
  get openConnections(): number {
    return this.#open.size
  }

  /** Cuts the connection that comes to a server from this port of ours, or every one. */
  cut(serverSidePort?: number): void {
    for (const { client, server } of this.#those(serverSidePort)) {
      client.destroy()
      server?.destroy()
    }
  }

  /** Lets a connection, or every one, go dead: from now on nothing passes, and nobody is told. */
  goDead(serverSidePort?: number): void {
    for (const connection of this.#those(serverSidePort)) connection.isDead = true
  }

  /** Ends everything. */
  async close(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.cut()
    await closed
  }

  #those(serverSidePort: number | undefined): Connection[] {
    return [...this.#open].filter(({ server }) => serverSidePort === undefined || server?.localPort === serverSidePort)
  }

  #accept(client: Socket): void {
    this.connections++
    const connection: Connection = { client, isDead: false }
    this.#open.add(connection)
    const gone = (): void => {
      this.#open.delete(connection)
      connection.server?.destroy()
    }
    client.setNoDelay(true)
    client.on('error', () => {})
    client.on('close', gone)
    client.once('data', first => {
      client.pause()
      const server = connect(this.#portFor(first), '127.0.0.1', () => {
        connection.server = server
        server.write(first)
        this.#carry(connection, client, server)
        this.#carry(connection, server, client)
      })
      server.setNoDelay(true)
      server.on('error', () => {})
      server.on('close', () => {
        if (!connection.isDead) client.destroy()
      })
    })
  }

  #carry(connection: Connection, from: Socket, to: Socket): void {
    from.on('data', bytes => {
      if (connection.isDead) return
      if (to === connection.client) this.bytesToClients += bytes.length
      if (to.write(bytes)) return
      from.pause()
      to.once('drain', () => from.resume())
    })
    from.on('end', () => {
      if (!connection.isDead) to.end()
    })
    from.resume()
  }
}

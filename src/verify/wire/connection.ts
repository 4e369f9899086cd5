import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

import { Violation } from "../check.ts";
import { noteExchange, startOf, waitingSignal } from "./exchange.ts";
import { parseResponse, type WireResponse } from "./response.ts";

// No demand on the service, only the end of waiting for one that will never answer.
const PATIENCE_MS = 60_000;
const KEPT_WRITES = 20;
// An answer that never ends must not fill the memory.
const LONGEST_ANSWER = 16 * 1024 * 1024;

/** The peer closed the connection before it had answered. */
export class Closed extends Error {
  override readonly name = "Closed";
}

/** One connection to a service, to write any bytes to. */
export class Connection {
  readonly #socket: Socket;
  #bytes: Buffer = Buffer.alloc(0);
  #ended = false;
  #wake: () => void = () => {};
  /** Since the last answer. */
  #sent: Buffer[] = [];
  /** Responses of the class 1xx so far. */
  readonly interim: WireResponse[] = [];

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      this.#wake();
    });
    const end = (): void => {
      this.#ended = true;
      this.#wake();
    };
    socket.on("end", end).on("error", end).on("close", end);
  }

  /** Connects to the host and port of `url`. */
  static open(url: string): Promise<Connection> {
    const { protocol, hostname, port } = new URL(url);
    const secure = protocol === "https:";
    const host = hostname.replace(/^\[|\]$/g, "");
    // TLS has no server name for an IP address.
    const name = isIP(host) === 0 ? { servername: host } : {};
    const options = { host, port: Number(port || (secure ? 443 : 80)), noDelay: true };
    return new Promise((resolve, reject) => {
      const socket: Socket = secure
        ? connectTls({ ...options, ...name })
        : connectTcp({ ...options, allowHalfOpen: true });
      socket.once("error", reject);
      socket.once(secure ? "secureConnect" : "connect", () => {
        socket.off("error", reject);
        resolve(new Connection(socket));
      });
    });
  }

  write(data: string | Uint8Array): void {
    if (this.#sent.length < KEPT_WRITES) this.#sent.push(startOf(data));
    if (this.#socket.writable) this.#socket.write(data);
  }

  /** The next response that is not interim. @throws {Closed} when the peer closes instead. */
  async read(request: string, method = "GET"): Promise<WireResponse> {
    const end = performance.now() + PATIENCE_MS;
    for (;;) {
      noteExchange(this.#sent, this.#bytes.length > 0 ? this.#bytes : "no answer");
      const parsed = parseResponse(this.#bytes, request, method, this.#ended);
      if (parsed) {
        noteExchange(this.#sent, this.#bytes.subarray(0, parsed.length));
        this.#bytes = this.#bytes.subarray(parsed.length);
        if (parsed.response.status < 200) {
          this.interim.push(parsed.response);
          continue;
        }
        this.#sent = [];
        return parsed.response;
      }
      if (this.#ended) {
        throw new Closed(`${request}: the connection was closed without an answer`);
      }
      if (this.#bytes.length > LONGEST_ANSWER) {
        this.destroy();
        throw new Violation(`${request}: the answer has more than ${LONGEST_ANSWER} bytes`);
      }
      // However often a little more comes.
      await this.#change(`${request}: no whole answer`, end - performance.now());
    }
  }

  /** Waits for a response of the class 1xx. */
  async readInterim(request: string): Promise<void> {
    while (this.interim.length === 0) {
      const parsed = parseResponse(this.#bytes, request, "GET", this.#ended);
      if (parsed && parsed.response.status >= 200) return;
      if (parsed) {
        this.#bytes = this.#bytes.subarray(parsed.length);
        this.interim.push(parsed.response);
      } else if (this.#ended) throw new Closed(`${request}: closed without an answer`);
      else await this.#change(`${request}: no answer`);
    }
  }

  /** Waits until the peer has closed. @returns what came before that and was not read. */
  async closed(what: string): Promise<Buffer> {
    while (!this.#ended) await this.#change(`${what}: the connection stayed open`);
    return this.#bytes;
  }

  /** Whether the peer has closed. */
  get isClosed(): boolean {
    return this.#ended;
  }

  /** Says that nothing more will be sent; answers can still come. */
  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Ends the connection the hard way, as a client that crashed. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  #change(complaint: string, ms = PATIENCE_MS): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Violation(`${complaint} within ${PATIENCE_MS / 1_000} s`)),
        ms,
      );
      const signal = waitingSignal();
      const abort = () => reject(new Violation(complaint));
      signal?.addEventListener("abort", abort);
      this.#wake = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
        resolve();
      };
    });
  }
}

/** Opens a connection for `use`, and closes it after. */
export async function withConnection<Result>(
  url: string,
  use: (connection: Connection) => Promise<Result>,
): Promise<Result> {
  const connection = await Connection.open(url);
  try {
    return await use(connection);
  } finally {
    connection.destroy();
  }
}

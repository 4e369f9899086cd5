import type { ClientHttp2Session, IncomingHttpHeaders } from "node:http2";

/** A call that the other side refused, or that never got there. */
export class GrpcError extends Error {
  override readonly name = "GrpcError";
  /** gRPC's status code; 14 (UNAVAILABLE) when there was no answer. */
  readonly code: number;

  constructor(code: number, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** Calls methods of one gRPC server. */
export interface GrpcClient {
  /**
   * @param message protocol buffers.
   * @throws {GrpcError}
   */
  call(path: string, message: Uint8Array): Promise<void>;
  close(): void;
}

const UNKNOWN = 2;
const UNAVAILABLE = 14;

/**
 * Unary gRPC without its library: a call is one HTTP/2 request (github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md), and the
 * library would take a tenth of a worker's start and a quarter of its packages. The connection is made at the first
 * call, and again when it was lost. It keeps no process alive.
 * @param endpoint `http:` or `https:`; its path is ignored.
 */
export function createGrpcClient(endpoint: string, timeoutMs: number): GrpcClient {
  let session: ClientHttp2Session | undefined;

  async function connected(): Promise<ClientHttp2Session> {
    const { connect } = await import("node:http2");
    if (session !== undefined && !session.closed && !session.destroyed) return session;
    const opened = connect(endpoint);
    // The call that runs hears of it as well; without a listener it would end the process.
    opened.on("error", () => opened.destroy());
    opened.unref();
    session = opened;
    return opened;
  }

  return {
    async call(path, message) {
      const connection = await connected();
      const stream = connection.request({
        ":method": "POST",
        ":path": path,
        "content-type": "application/grpc",
        te: "trailers",
        "grpc-timeout": `${timeoutMs}m`,
      });
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const settle = (headers: IncomingHttpHeaders): void => {
        const status = headers["grpc-status"];
        if (status === "0") resolve();
        else if (status !== undefined) {
          reject(new GrpcError(Number(status), String(headers["grpc-message"])));
        }
      };
      stream.setTimeout(timeoutMs, () => {
        stream.destroy(new Error(`no answer in ${timeoutMs} ms`));
        // It may be dead without anybody having told us.
        connection.destroy();
      });
      stream.on("response", settle).on("trailers", settle).resume();
      stream.on("error", (error) => reject(new GrpcError(UNAVAILABLE, error.message, error)));
      // After all others: whoever has settled before is not disturbed.
      stream.on("close", () => reject(new GrpcError(UNKNOWN, "the server sent no status")));
      stream.end(framed(message));
      await promise;
    },
    close: () => session?.destroy(),
  };
}

/** A message as it stands in a gRPC stream: not compressed, its length, itself. */
function framed(message: Uint8Array): Buffer {
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  return frame;
}

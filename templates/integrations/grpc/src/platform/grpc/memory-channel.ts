import {
  create,
  type DescMethodUnary,
  type DescService,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { abortable, TimeoutError, withTimeout } from "../timing.ts";
import type { Channel, ChannelCall } from "./channel.ts";
import { GrpcError } from "./status.ts";

/** What a method in memory is told of its call. */
type MemoryCall = Pick<ChannelCall, "metadata" | "timeoutMs">;

/** The methods of a server in memory; one that is left out is UNIMPLEMENTED. */
export type Methods<Service extends DescService> = {
  [Name in keyof Service["method"]]?: Service["method"][Name] extends DescMethodUnary<
    infer Input,
    infer Output
  >
    ? (
        request: MessageShape<Input>,
        call: MemoryCall,
      ) => MessageInitShape<Output> | Promise<MessageInitShape<Output>>
    : never;
};

type AnyMethod = (request: object, call: MemoryCall) => object | Promise<object>;

/** A server in this process, for tests and for development: what a method throws is what the client gets. */
export function memoryChannel<Service extends DescService>(
  service: Service,
  methods: Methods<Service>,
): Channel {
  async function answer({ method, request, metadata, timeoutMs }: ChannelCall): Promise<object> {
    const isKnown = method.parent.typeName === service.typeName;
    const run = isKnown ? (methods as Record<string, AnyMethod>)[method.localName] : undefined;
    if (run === undefined) throw new GrpcError("UNIMPLEMENTED", method.name);
    // As over a network: what a message cannot carry is lost here, too.
    const received = fromBinary(method.input, toBinary(method.input, request));
    const answered = create(method.output, (await run(received, { metadata, timeoutMs })) as never);
    return fromBinary(method.output, toBinary(method.output, answered));
  }
  return {
    async call(call) {
      const { signal = new AbortController().signal, timeoutMs } = call;
      try {
        return (await abortable(withTimeout(answer(call), timeoutMs), signal)) as never;
      } catch (error) {
        if (error instanceof GrpcError) throw error;
        if (signal.aborted) throw new GrpcError("CANCELLED", "by the caller", { cause: error });
        const status = error instanceof TimeoutError ? "DEADLINE_EXCEEDED" : "UNKNOWN";
        throw new GrpcError(status, String(error), { cause: error });
      }
    },
    async check() {},
    close() {},
  };
}

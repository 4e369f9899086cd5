import { z } from "zod";

// No URL, for which the library would look in vain. Of a list, too, a port stands at the end.
const address = z
  .string()
  .regex(/^[\w.,:[\]-]{1,1000}:\d{1,5}$/, "must be an address such as members.internal:50051")
  .refine((text) => isPort(Number(text.split(":").at(-1))), "must end with a port, 1 to 65535");
const seconds = z
  .string()
  .regex(/^\d+(\.\d+)?$/, "must be a number")
  .pipe(z.coerce.number());

function isPort(port: number): boolean {
  return port >= 1 && port <= 65_535;
}

/** The environment variables of gRPC; README.md explains them. */
export const grpcSettings = {
  GRPC_MEMBERS_ADDRESS: address.optional(),
  GRPC_MEMBERS_TIMEOUT: seconds.pipe(z.number().min(0.001).max(3_600)).default(5),
  GRPC_MEMBERS_TLS: z.stringbool().optional(),
  GRPC_MEMBERS_TLS_CA: z.string().optional(),
  GRPC_MEMBERS_TLS_CERT: z.string().optional(),
  GRPC_MEMBERS_TLS_KEY: z.string().optional(),
};

import { z } from "zod";

// Of a list in brackets or of several addresses, the server's port stands at the end.
const address = z
  .string()
  .regex(/^[^\s/]\S{0,1000}:\d{1,5}$/, "must be an address such as members.internal:50051");
const seconds = z
  .string()
  .regex(/^\d+(\.\d+)?$/, "must be a number")
  .pipe(z.coerce.number());

/** The environment variables of gRPC; README.md explains them. */
export const grpcSettings = {
  GRPC_MEMBERS_ADDRESS: address.optional(),
  GRPC_MEMBERS_TIMEOUT: seconds.pipe(z.number().min(0.001).max(3_600)).default(5),
  GRPC_MEMBERS_TLS: z.stringbool().optional(),
  GRPC_MEMBERS_TLS_CA: z.string().optional(),
  GRPC_MEMBERS_TLS_CERT: z.string().optional(),
  GRPC_MEMBERS_TLS_KEY: z.string().optional(),
};

import { z } from "zod";

const endpoint = z.url({ protocol: /^https?$/ });

/** The environment variables of S3; README.md explains them. */
export const s3Settings = {
  S3_BUCKET: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, "must be the name of a bucket")
    .optional(),
  S3_KMS_KEY: z.string().optional(),
  S3_PUBLIC_ENDPOINT: endpoint.optional(),
  AWS_ENDPOINT_URL_S3: endpoint.optional(),
  AWS_ENDPOINT_URL: endpoint.optional(),
};

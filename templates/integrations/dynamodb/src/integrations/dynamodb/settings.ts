import { z } from "zod";

const endpoint = z.url({ protocol: /^https?$/ });

/** The environment variables of DynamoDB; README.md explains them. */
export const dynamodbSettings = {
  DYNAMODB_TABLE: z
    .string()
    .regex(/^[\w.-]{3,255}$/, "must be the name of a table")
    .optional(),
  PAGE_CURSOR_KEY: z.string().min(32, "must have at least 32 characters").optional(),
  AWS_ENDPOINT_URL_DYNAMODB: endpoint.optional(),
  AWS_ENDPOINT_URL: endpoint.optional(),
};

import { z } from "zod";
import { AppError } from "../../platform/errors.ts";
import { rawBody } from "../../platform/raw-body.ts";
import { defineRoute, reply, type Route } from "../../platform/route.ts";

const tags = ["images"];
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, "must be 64 hex digits");

const imageSchema = z.object({ sha256, bytes: z.int().min(1) }).meta({ id: "Image" });
const urlSchema = z.object({ url: z.url(), expiresAt: z.iso.datetime() }).meta({ id: "ImageUrl" });

const putImage = defineRoute({
  method: "PUT",
  path: "/api/v1/images",
  summary: "Store an image under its hash",
  description: "200 when the same image is there already.",
  tags,
  body: rawBody({
    limit: 268_435_456,
    contentTypes: ["image/png", "image/jpeg", "image/webp", "image/gif", "image/avif"],
  }),
  responses: { 200: imageSchema, 201: imageSchema },
  errors: ["EXTERNAL_SERVICE_ERROR", "OVERLOADED"],
  async handler({ body, deps, signal }) {
    const { created, ...image } = await deps.s3.images.put(body, signal);
    return reply(created ? 201 : 200, image, { Location: `/api/v1/images/${image.sha256}` });
  },
});

const getImage = defineRoute({
  method: "GET",
  path: "/api/v1/images/{sha256}",
  summary: "Get a URL for an image",
  description: "The image comes from S3 itself, by this URL, for five minutes.",
  tags,
  params: z.object({ sha256 }),
  responses: { 200: urlSchema },
  errors: ["NOT_FOUND", "EXTERNAL_SERVICE_ERROR", "OVERLOADED"],
  async handler({ params, deps, signal }) {
    const presigned = await deps.s3.images.presign(params.sha256, signal);
    if (presigned === undefined)
      throw new AppError("NOT_FOUND", "There is no image with this hash");
    return reply(200, presigned, { "Cache-Control": "no-store" });
  },
});

export const s3Routes: Route[] = [putImage, getImage];

import { z } from "zod";
import { defineRoute, type Route } from "../../platform/route.ts";
import { receiptScanned } from "./events.ts";

const eventSchema = z
  .object({ type: z.literal(receiptScanned.type), data: receiptScanned.schema })
  .meta({ id: "NewEvent" });

const acceptedSchema = z.object({ id: z.uuid() }).meta({ id: "AcceptedEvent" });

const publishEvent = defineRoute({
  method: "POST",
  path: "/api/v1/events",
  summary: "Publish an event",
  description: "Answers when the event is stored. What comes of it happens later.",
  tags: ["events"],
  body: eventSchema,
  responses: { 202: acceptedSchema },
  errors: ["EXTERNAL_SERVICE_ERROR", "OVERLOADED"],
  handler: async ({ body, deps }) => ({ id: await deps.kafka.publish(receiptScanned, body.data) }),
});

export const kafkaRoutes: Route[] = [publishEvent];

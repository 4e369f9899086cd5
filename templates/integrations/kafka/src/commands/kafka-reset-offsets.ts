import { print, runCommand, UsageError } from "../platform/command.ts";
import {
  committedOffsets,
  moveGroup,
  offsetsAt,
  type Position,
  withAdmin,
} from "../platform/kafka/admin.ts";
import { consumerGroup } from "../platform/kafka/connection.ts";
import { loadSettings } from "../settings.ts";

const HELP = `Moves the service's consumer group in its topic, so that events are handled again, or skipped.
Stop the service first. Refused when ENVIRONMENT is prod.

usage: kafka:reset-offsets -- --to-earliest             everything that the topic still has
       kafka:reset-offsets -- --to-latest               only what comes from now on
       kafka:reset-offsets -- --to-timestamp TIME       what came at TIME or later, such as 2026-01-31T12:00:00Z
`;

const OPTIONS = {
  "to-earliest": { type: "boolean" },
  "to-latest": { type: "boolean" },
  "to-timestamp": { type: "string" },
} as const;

await runCommand(HELP, OPTIONS, async ({ positionals, values }) => {
  const [chosen, ...more] = Object.entries(values);
  if (chosen === undefined || more.length > 0 || positionals.length > 0) {
    throw new UsageError("say where to, with one of the options");
  }
  const position = positionOf(chosen);
  if (position === undefined) throw new UsageError(`not a point in time: ${String(chosen[1])}`);
  const settings = loadSettings();
  if (settings.ENVIRONMENT === "prod") {
    throw new UsageError("not in prod: replay its dead letters instead (kafka:dlq)");
  }
  const { KAFKA_TOPIC: topic } = settings;
  const group = consumerGroup(settings);
  await withAdmin(settings, async (admin) => {
    const before = await committedOffsets(admin, group, topic);
    const offsets = await offsetsAt(admin, topic, position);
    await moveGroup(admin, group, topic, offsets);
    for (const [partition, offset] of [...offsets].toSorted(([a], [b]) => a - b)) {
      print(`${topic}/${partition}: ${before.get(partition) ?? "nothing committed"} -> ${offset}`);
    }
  });
});

function positionOf([option, value]: [string, unknown]): Position | undefined {
  if (option === "to-earliest") return "earliest";
  if (option === "to-latest") return "latest";
  const time = new Date(String(value));
  return Number.isNaN(time.getTime()) ? undefined : time;
}

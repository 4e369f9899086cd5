import { print, runCommand, UsageError } from "../platform/command.ts";
import { consumerGroup } from "../platform/kafka/connection.ts";
import { deadLetterTopic } from "../platform/kafka/dead-letters.ts";
import { connectKafka } from "../platform/kafka/platformatic.ts";
import { listDeadLetters, replayDeadLetters } from "../platform/kafka/replay.ts";
import { loadSettings } from "../settings.ts";

const HELP = `Shows the dead letters of a topic that were not replayed, or replays them.

usage: kafka:dlq -- list [--limit N]      what there is, and why
       kafka:dlq -- replay [--limit N]    sends it back to the topic that it came from

       --topic NAME                       another topic than KAFKA_TOPIC, whose letters are in NAME.dlq
       --group NAME                       the group that consumes it, when the service names one
`;
const OPTIONS = {
  limit: { type: "string" },
  topic: { type: "string" },
  group: { type: "string" },
} as const;

await runCommand(HELP, OPTIONS, async ({ positionals, values }) => {
  const [verb, ...more] = positionals;
  const limit = Number(values["limit"] ?? Infinity);
  if ((verb !== "list" && verb !== "replay") || more.length > 0) {
    throw new UsageError("list or replay?");
  }
  if (!(limit > 0)) throw new UsageError("--limit must be a number above 0");
  const settings = loadSettings();
  const { topic = settings.KAFKA_TOPIC, group: named } = values as Record<string, string>;
  const own = consumerGroup(settings);
  const group = named ?? (topic === settings.KAFKA_TOPIC ? own : `${own}-${topic}`);
  const options = { topic, group, limit };
  const port = connectKafka(settings);
  try {
    await port.check(deadLetterTopic(topic));
    if (verb === "list") print(`${await listDeadLetters(port, options, print)} dead letters`);
    else print(`${await replayDeadLetters(port, options, print)} dead letters replayed`);
  } finally {
    await port.close();
  }
});

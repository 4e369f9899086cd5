import { print, runCommand, UsageError } from "../platform/command.ts";
import { consumerGroup } from "../platform/kafka/connection.ts";
import { connectKafka } from "../platform/kafka/platformatic.ts";
import { listDeadLetters, replayDeadLetters } from "../platform/kafka/replay.ts";
import { loadSettings } from "../settings.ts";

const HELP = `Shows the dead letters of the service's topic that were not replayed, or replays them.

usage: kafka:dlq -- list [--limit N]      what is there, and why
       kafka:dlq -- replay [--limit N]    sends it back to the topic that it came from
`;

await runCommand(HELP, { limit: { type: "string" } }, async ({ positionals, values }) => {
  const [verb, ...more] = positionals;
  const limit = Number(values["limit"] ?? Infinity);
  if ((verb !== "list" && verb !== "replay") || more.length > 0) {
    throw new UsageError("list or replay?");
  }
  if (!(limit > 0)) throw new UsageError("--limit must be a number above 0");
  const settings = loadSettings();
  const options = { topic: settings.KAFKA_TOPIC, group: consumerGroup(settings), limit };
  const port = connectKafka(settings);
  try {
    await port.check(options.topic);
    if (verb === "list") print(`${await listDeadLetters(port, options, print)} dead letters`);
    else print(`${await replayDeadLetters(port, options)} dead letters replayed`);
  } finally {
    await port.close();
  }
});

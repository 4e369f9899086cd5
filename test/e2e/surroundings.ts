import { randomUUID } from "node:crypto";

import { CREDENTIALS } from "../stack/credentials.ts";
import { type DynamoDb, startDynamoDb } from "../stack/dynamodb.ts";
import { type Kafka, type KafkaOptions, startKafka } from "../stack/kafka.ts";
import { type S3, startS3 } from "../stack/s3.ts";
import { createTopic } from "./kafka-client.ts";
import { type Members, startMembers } from "./members.ts";
import { openProcessed, type Processed } from "./processed.ts";
import { type Service, startService } from "./service/run.ts";

/** Everything that a service with all integrations talks to. */
export interface Surroundings extends AsyncDisposable {
  kafka: Kafka;
  dynamoDb: DynamoDb;
  s3: S3;
  members: Members;
  /** Settings with which a service finds them. */
  environment: Record<string, string>;
  /** A topic, a consumer group and a place for what the group has processed, for one test. */
  newGroup: (topic?: string) => Promise<Group>;
}

export interface Group extends AsyncDisposable {
  topic: string;
  name: string;
  processed: Processed;
  /** Settings with which a service joins it. */
  environment: Record<string, string>;
}

const TABLE = "dev-receipts";
export const BUCKET = "dev-images";

/** Starts all of it, with a table and a bucket. */
export async function startSurroundings(options?: KafkaOptions): Promise<Surroundings> {
  await using stack = new AsyncDisposableStack();
  const kafka = stack.use(await startKafka(options));
  const dynamoDb = stack.use(await startDynamoDb());
  const s3 = stack.use(await startS3());
  const members = stack.use(await startMembers());
  await createTable(dynamoDb);
  await s3.createBucket(BUCKET);
  const environment = {
    ENVIRONMENT: "dev",
    KAFKA_BROKERS: kafka.brokers,
    USE_MSK_IAM: "false",
    DYNAMODB_TABLE: TABLE,
    PAGE_CURSOR_KEY: "0123456789abcdef0123456789abcdef",
    AWS_ENDPOINT_URL_DYNAMODB: dynamoDb.endpoint,
    S3_BUCKET: BUCKET,
    AWS_ENDPOINT_URL_S3: s3.endpoint,
    GRPC_MEMBERS_ADDRESS: `localhost:${members.port}`,
    ...CREDENTIALS,
  };
  const resources = stack.move();
  return {
    ...{ kafka, dynamoDb, s3, members, environment },
    newGroup: async (topic) => newGroup(topic ?? (await createTopic(kafka.brokers)), environment),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

function newGroup(topic: string, environment: Record<string, string>): Group {
  const name = `group-${randomUUID()}`;
  const processed = openProcessed();
  return {
    ...{ topic, name, processed },
    environment: {
      ...environment,
      KAFKA_TOPIC: topic,
      KAFKA_CONSUMER_GROUP: name,
      PROCESSED: processed.path,
    },
    [Symbol.asyncDispose]: () => processed[Symbol.asyncDispose](),
  };
}

/** As compose.yaml makes it. */
async function createTable(dynamoDb: DynamoDb): Promise<void> {
  await dynamoDb.call("CreateTable", {
    TableName: TABLE,
    BillingMode: "PAY_PER_REQUEST",
    KeySchema: [
      { AttributeName: "pk", KeyType: "HASH" },
      { AttributeName: "sk", KeyType: "RANGE" },
    ],
    AttributeDefinitions: [
      { AttributeName: "pk", AttributeType: "S" },
      { AttributeName: "sk", AttributeType: "S" },
    ],
  });
}

/** Starts a built service with a topic and a group of its own, and waits until it is ready. */
export async function startReadyService(
  surroundings: Surroundings,
  directory: string,
): Promise<Service> {
  await using group = await surroundings.newGroup();
  await using stack = new AsyncDisposableStack();
  const service = stack.use(await startService(directory, group.environment));
  await service.untilReady();
  stack.move();
  return service;
}

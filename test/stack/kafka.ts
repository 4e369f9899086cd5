import { mkdir, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";

import { execa } from "execa";

import { network } from "../../src/system/network.ts";
import { CREDENTIALS } from "./credentials.ts";
import { installKafka, type KafkaFiles } from "./kafka/install.ts";
import { propertiesOf, USER } from "./kafka/properties.ts";
import { scratchFolder, startRestartable } from "./server.ts";

/** A Kafka of one broker, with two ways in. */
export interface Kafka extends AsyncDisposable {
  /** For anybody, without TLS. */
  brokers: string;
  port: number;
  /** For tokens that are signed with CREDENTIALS, over TLS. */
  iamBrokers: string;
  /** Over TLS, for `USER` of kafka/properties.ts, and for the client's certificate. */
  scramBrokers: string;
  mtlsBrokers: string;
  /** The file that NODE_EXTRA_CA_CERTS is to name. */
  certificate: string;
  clientCertificate: string;
  clientKey: string;
  /** Of the broker that runs now. */
  pid: () => number;
  log: () => string;
  /** SIGTERM lets it say goodbye, SIGKILL does not. */
  stop: (signal?: NodeJS.Signals) => Promise<void>;
  /** Starts it again, on the same ports and data. */
  start: () => Promise<void>;
}

const CLUSTER_ID = "4L6g3nShT-eMCtK--X86sw";
// For a short life: quick to start, and in little memory.
const JVM = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

export interface KafkaOptions {
  /** After so many seconds a token has to be replaced. */
  tokenSeconds?: number;
  /** Flags for the Java machine. */
  jvm?: string[];
  /** The port that clients are to use instead, such as a proxy's in front of the broker's own. */
  advertise?: (port: number) => Promise<number>;
}

/** Starts a broker without topics on free ports. */
export async function startKafka({
  tokenSeconds = 900,
  jvm = JVM,
  advertise = async (port) => port,
}: KafkaOptions = {}): Promise<Kafka> {
  const files = await installKafka();
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await scratchFolder("kafka"));
  const [port = 0, controllerPort = 0, iamPort = 0, scramPort = 0, mtlsPort = 0] =
    await network.freePorts(5);
  const data = join(folder.path, "data");
  const config = join(folder.path, "server.properties");
  const advertised = await advertise(port);
  const ports = { port, advertised, controllerPort, iamPort, scramPort, mtlsPort };
  await writeFile(config, propertiesOf({ ...ports, ...files, data }));
  await format(files, data, config);
  const server = stack.use(
    await startRestartable({
      name: "kafka",
      command: [
        ...(["java", ...jvm, `-Dmsk.tokenSeconds=${tokenSeconds}`] as const),
        `-Dmsk.accessKeyId=${CREDENTIALS.AWS_ACCESS_KEY_ID}`,
        `-Dmsk.secretAccessKey=${CREDENTIALS.AWS_SECRET_ACCESS_KEY}`,
        ...javaArguments(files, "kafka.Kafka", config),
      ],
      folder: folder.path,
      ready: () => listens(port),
    }),
  );
  const resources = stack.move();
  return {
    brokers: `127.0.0.1:${advertised}`,
    port,
    iamBrokers: `localhost:${iamPort}`,
    scramBrokers: `localhost:${scramPort}`,
    mtlsBrokers: `localhost:${mtlsPort}`,
    certificate: files.certificate,
    clientCertificate: files.clientCertificate,
    clientKey: files.clientKey,
    pid: server.pid,
    log: server.log,
    stop: server.stop,
    start: server.start,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** Prepares the data's folder, as Kafka wants it before the first start. */
async function format(files: KafkaFiles, data: string, config: string): Promise<void> {
  await mkdir(data);
  const tool = javaArguments(files, "kafka.tools.StorageTool", "format");
  const user = `SCRAM-SHA-512=[name=${USER.name},password=${USER.password}]`;
  const flags = ["--cluster-id", CLUSTER_ID, "--config", config, "--add-scram", user];
  await execa("java", [...JVM, ...tool, ...flags]);
}

function javaArguments({ classPath }: KafkaFiles, ...program: string[]): string[] {
  const logging = join(import.meta.dirname, "kafka/log4j2.properties");
  return [`-Dlog4j2.configurationFile=${logging}`, "-cp", classPath, ...program];
}

/** The broker listens when it is ready for clients. */
function listens(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(port, "127.0.0.1", () => resolve(true)).on("error", () => resolve(false));
  return promise.finally(() => socket.destroy());
}

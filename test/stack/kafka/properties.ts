import { KEY_PASSWORD } from "./install.ts";

/** Where a broker listens, and where its files are. */
export interface Layout {
  port: number;
  /** Where clients are told to find it. */
  advertised: number;
  controllerPort: number;
  iamPort: number;
  data: string;
  keyStore: string;
}

/** The broker's configuration: one node, small and quick, otherwise as on MSK. */
export function propertiesOf(layout: Layout): string {
  const { port, advertised, controllerPort, iamPort, data, keyStore } = layout;
  const properties: Record<string, string | number | boolean> = {
    "process.roles": "broker,controller",
    "node.id": 1,
    "log.dirs": data,
    "controller.quorum.voters": `1@127.0.0.1:${controllerPort}`,
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort},IAM://127.0.0.1:${iamPort}`,
    "advertised.listeners": `PLAINTEXT://127.0.0.1:${advertised},IAM://localhost:${iamPort}`,
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,IAM:SASL_SSL",
    // A topic is created on purpose, never by a typo.
    "auto.create.topics.enable": false,
    "group.initial.rebalance.delay.ms": 0,
    "num.network.threads": 2,
    "num.io.threads": 4,
    "log.cleaner.dedupe.buffer.size": 8_388_608,
    ...iamProperties(keyStore),
  };
  for (const topic of ["offsets.topic", "transaction.state.log", "share.coordinator.state.topic"]) {
    properties[`${topic}.replication.factor`] = 1;
    properties[`${topic}.num.partitions`] = 4;
    if (topic !== "offsets.topic") properties[`${topic}.min.isr`] = 1;
  }
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
}

/** The listener that takes signed tokens over TLS, and nothing else. */
function iamProperties(keyStore: string): Record<string, string | number> {
  const sasl = "listener.name.iam.oauthbearer.sasl";
  return {
    "listener.name.iam.sasl.enabled.mechanisms": "OAUTHBEARER",
    // Tokens end sooner; without this they would not end a connection.
    "listener.name.iam.connections.max.reauth.ms": 3_600_000,
    // The login module wants a token of the broker itself, which nobody ever sees.
    [`${sasl}.jaas.config`]:
      'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";',
    [`${sasl}.server.callback.handler.class`]: "MskTokenValidator",
    "listener.name.iam.ssl.keystore.type": "PKCS12",
    "listener.name.iam.ssl.keystore.location": keyStore,
    "listener.name.iam.ssl.keystore.password": KEY_PASSWORD,
  };
}

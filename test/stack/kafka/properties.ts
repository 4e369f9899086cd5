import { KEY_PASSWORD } from "./install.ts";

/** Where a broker listens, and where its files are. */
export interface Layout {
  port: number;
  /** Where clients are told to find it. */
  advertised: number;
  controllerPort: number;
  iamPort: number;
  scramPort: number;
  mtlsPort: number;
  data: string;
  keyStore: string;
  clientCertificate: string;
}

/** A user that may sign in with its password. */
export const USER = { name: "alice", password: "alice-secret" };

/** The broker's configuration: one node, small and quick, otherwise as on MSK. */
export function propertiesOf(layout: Layout): string {
  const { port, advertised, controllerPort, iamPort, scramPort, mtlsPort, data } = layout;
  const secure = { IAM: iamPort, SCRAM: scramPort, MTLS: mtlsPort };
  const on = (host: string): string =>
    Object.entries(secure)
      .map(([name, number]) => `,${name}://${host}:${number}`)
      .join("");
  const properties: Record<string, string | number | boolean> = {
    "process.roles": "broker,controller",
    "node.id": 1,
    "log.dirs": data,
    "controller.quorum.voters": `1@127.0.0.1:${controllerPort}`,
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}${on("127.0.0.1")}`,
    "advertised.listeners": `PLAINTEXT://127.0.0.1:${advertised}${on("localhost")}`,
    "listener.security.protocol.map":
      "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,IAM:SASL_SSL,SCRAM:SASL_SSL,MTLS:SSL",
    // A topic is created on purpose, never by a typo.
    "auto.create.topics.enable": false,
    "group.initial.rebalance.delay.ms": 0,
    "num.network.threads": 2,
    "num.io.threads": 4,
    "log.cleaner.dedupe.buffer.size": 8_388_608,
    ...tokenProperties(),
    ...passwordProperties(),
    ...certificateProperties(layout),
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

/** The listener that takes users with their passwords over TLS. */
function passwordProperties(): Record<string, string> {
  const module = "org.apache.kafka.common.security.scram.ScramLoginModule";
  return {
    "listener.name.scram.sasl.enabled.mechanisms": "SCRAM-SHA-512",
    "listener.name.scram.scram-sha-512.sasl.jaas.config": `${module} required;`,
  };
}

/** The broker's key, and the listener that wants a certificate of its clients. */
function certificateProperties({ keyStore, clientCertificate }: Layout): Record<string, string> {
  return {
    "ssl.keystore.type": "PKCS12",
    "ssl.keystore.location": keyStore,
    "ssl.keystore.password": KEY_PASSWORD,
    "listener.name.mtls.ssl.client.auth": "required",
    "listener.name.mtls.ssl.truststore.type": "PEM",
    "listener.name.mtls.ssl.truststore.location": clientCertificate,
  };
}

/** The listener that takes signed tokens over TLS, and nothing else. */
function tokenProperties(): Record<string, string | number> {
  const sasl = "listener.name.iam.oauthbearer.sasl";
  return {
    "listener.name.iam.sasl.enabled.mechanisms": "OAUTHBEARER",
    // Tokens end sooner; without this they would not end a connection.
    "listener.name.iam.connections.max.reauth.ms": 3_600_000,
    // The login module wants a token of the broker itself, which nobody ever sees.
    [`${sasl}.jaas.config`]:
      'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";',
    [`${sasl}.server.callback.handler.class`]: "MskTokenValidator",
  };
}

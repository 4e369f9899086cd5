import { rm } from "node:fs/promises";
import { join } from "node:path";

import { build } from "../build.ts";
import { cached, fingerprint } from "../cache.ts";

const HERE = import.meta.dirname;
const VALIDATOR = "MskTokenValidator.java";
const JDK = "a Java Development Kit of version 17 or newer";
export const KEY_PASSWORD = "changeit";

/** What a broker is started from. */
export interface KafkaFiles {
  /** The folder of its jars, as a class path. */
  classPath: string;
  /** Its key, for the name localhost. */
  keyStore: string;
  /** The certificate that a client has to trust. */
  certificate: string;
  /** What a client shows of itself: its certificate, which the broker trusts, and its key. */
  clientCertificate: string;
  clientKey: string;
}

/** Downloads the broker, compiles the check of its tokens, and makes its key and a client's; once. */
export async function installKafka(): Promise<KafkaFiles> {
  const version = await fingerprint(HERE, ["pom.xml", VALIDATOR]);
  const folder = await cached(`kafka-tls-${version}`, async (part) => {
    const classes = join(part, "classes");
    const store = ["-alias", "broker", "-keystore", join(part, "key.p12")];
    store.push("-storepass", KEY_PASSWORD);
    await build("Kafka, a download of 45 MB", [
      {
        command: [
          ...(["mvn", "--quiet", "--batch-mode", "--file", join(HERE, "pom.xml")] as const),
          ...["dependency:copy-dependencies", "-DincludeScope=runtime"],
          `-DoutputDirectory=${part}/jars`,
        ],
        needs: "Apache Maven 3",
      },
      {
        command: [
          ...(["javac", "--release", "17", "-nowarn", "-cp", `${part}/jars/*`] as const),
          ...["-d", classes, join(HERE, VALIDATOR)],
        ],
        needs: JDK,
      },
      {
        command: ["jar", "--create", "--file", `${part}/jars/validator.jar`, "-C", classes, "."],
        needs: JDK,
      },
      {
        command: [
          ...(["keytool", "-genkeypair", "-keyalg", "EC", "-validity", "3650"] as const),
          ...["-dname", "CN=localhost", "-ext", "san=dns:localhost,ip:127.0.0.1", ...store],
        ],
        needs: JDK,
      },
      {
        command: [
          ...(["keytool", "-exportcert", "-rfc", "-file", join(part, "certificate.pem")] as const),
          ...store,
        ],
        needs: JDK,
      },
      {
        command: [
          ...([
            "openssl",
            "req",
            "-x509",
            "-nodes",
            "-days",
            "3650",
            "-subj",
            "/CN=client",
          ] as const),
          ...["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"],
          ...["-keyout", join(part, "client.key"), "-out", join(part, "client.pem")],
        ],
        needs: "OpenSSL",
      },
    ]);
    await rm(classes, { recursive: true });
  });
  return {
    classPath: join(folder, "jars/*"),
    keyStore: join(folder, "key.p12"),
    certificate: join(folder, "certificate.pem"),
    clientCertificate: join(folder, "client.pem"),
    clientKey: join(folder, "client.key"),
  };
}

import { describe, expect, it } from "vitest";
import { parse } from "yaml";

import { render } from "../../src/plan/render.ts";
import { allVariants, templates, titleOf } from "../support/templates.ts";

/** The fields that the standard lists; `*` is any key, `[]` the items of a list. A leaf may hold whatever it likes. */
const FIELDS = `
name platform description team tags.*
compute.cpu compute.memory compute.desired_count compute.capacity_provider
networking.port networking.protocol
networking.health_check.path networking.health_check.port networking.health_check.interval
networking.health_check.timeout networking.health_check.healthy_threshold
networking.health_check.unhealthy_threshold
networking.load_balancer.type networking.load_balancer.internal networking.load_balancer.idle_timeout
networking.service_discovery.namespace networking.service_discovery.dns_ttl
scaling.min_count scaling.max_count
scaling.policies[].type scaling.policies[].metric scaling.policies[].target
scaling.policies[].scale_in_cooldown scaling.policies[].scale_out_cooldown
environment.*
dependencies[].type dependencies[].name dependencies[].bucket_name dependencies[].table_name
dependencies[].key_schema[].attribute_name dependencies[].key_schema[].key_type
dependencies[].attribute_definitions[].attribute_name
dependencies[].attribute_definitions[].attribute_type
dependencies[].billing_mode dependencies[].unmanaged.permissions
observability.logging.driver observability.logging.retention_days
observability.tracing.enabled observability.tracing.sampling_rate
observability.metrics.port observability.metrics.path
security.network_mode security.readonly_root_filesystem security.no_new_privileges
iam.policy_statements[].sid iam.policy_statements[].effect
iam.policy_statements[].actions[] iam.policy_statements[].resources[]
`
  .trim()
  .split(/\s+/);

/** Beyond them, in CloudFormation's own words: without its index and its expiry, a table is not the one of the code. */
const BEYOND = /^dependencies\[\]\.(?:global_secondary_indexes|time_to_live_specification)\b/;

const titled = allVariants(templates.manifest).map((answers) => ({
  title: titleOf(answers),
  answers,
}));

describe.each(titled)("fsd.yml of $title", ({ answers }) => {
  const text = Buffer.from(render(templates, answers).get("fsd.yml")?.bytes ?? []).toString("utf8");

  // A field that fsd does not know can refuse a first deployment.
  it("holds only fields that the standard lists", () => {
    expect(fieldsIn(parse(text)).filter((field) => !isListed(field))).toEqual([]);
  });

  it("allows nothing beyond the service's own region and account", () => {
    const arns = text.match(/arn:aws:\S+/g) ?? [];
    expect(
      arns.filter((arn) => /^arn:aws:(?!s3)\w+:(?!\$\{env:AWS_REGION\}:\$\{)/.test(arn)),
    ).toEqual([]);
  });
});

function fieldsIn(value: unknown, path = ""): string[] {
  if (Array.isArray(value)) return value.flatMap((item) => fieldsIn(item, `${path}[]`));
  if (typeof value !== "object" || value === null) return [path];
  return Object.entries(value).flatMap(([key, inner]) =>
    fieldsIn(inner, path === "" ? key : `${path}.${key}`),
  );
}

function isListed(field: string): boolean {
  if (BEYOND.test(field)) return true;
  return FIELDS.includes(field) || FIELDS.includes(field.replace(/\.[^.]+$/, ".*"));
}

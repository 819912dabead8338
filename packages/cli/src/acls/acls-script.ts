import type { KafkaRight, KafkaRole } from './kafka-rights.ts';

/** Kafka's name of who has a role: `User:relay`, `User:CN=relay`. */
export type Principals = Readonly<Record<KafkaRole, string>>;

export const defaultPrincipals: Principals = {
  relay: 'User:outbound-relay',
  provision: 'User:outbound-provision',
  operator: 'User:outbound-operator',
  consumer: 'User:outbound-consumer',
};

/** The arguments of Kafka's own tool that add a right. Adding it twice does no more. */
export function aclArguments(right: KafkaRight, principals: Principals): readonly string[] {
  return [
    ...['--add', '--allow-principal', principals[right.role]],
    ...['--resource-pattern-type', right.pattern],
    ...right.operations.flatMap((operation) => ['--operation', operation]),
    ...right.names.flatMap((name) => [`--${right.resource}`, name]),
  ];
}

/** A shell script that gives the rights, to be read before it is run. */
export function aclsScript(rights: readonly KafkaRight[], principals: Principals): string {
  const head = [
    '#!/bin/sh',
    '# What the parts of Outbound need of Kafka, and no more. Made by: outbound acls (which names other principals, groups and topics).',
    '# sh kafka-acls.sh --bootstrap-server kafka:9092 --command-config admin.properties',
    "# KAFKA_ACLS says where Kafka's tool is. Running it again changes nothing; what was granted before stays.",
    'set -eu',
  ];
  const lines = rights.flatMap((right) => [
    '',
    `# ${right.role}: ${right.why}.`,
    `"\${KAFKA_ACLS:-kafka-acls.sh}" "$@" ${aclArguments(right, principals).map(quoted).join(' ')}`,
  ]);
  return `${[...head, ...lines].join('\n')}\n`;
}

function quoted(text: string): string {
  return /^[A-Za-z0-9._:=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

import type picocolors from 'picocolors';
import type { Pipeline } from './pipeline.ts';

/** How text is coloured; without a terminal, or with NO_COLOR, not at all. */
export type Colors = typeof picocolors;

/** An id and ETag that exist, for the command to try. */
export interface Example {
  readonly id: string;
  readonly etag: string;
}

/** What is said once the proof is there and the stack stays up: addresses, and commands that work as they stand. */
export function closingScreen(
  { apiUrl, apiAdminUrl, relayAdminUrl, databaseUrl, brokers, logs }: Pipeline,
  { id, etag }: Example,
  { bold, cyan, dim }: Colors,
): string {
  const rows = [
    ['API', `${apiUrl}/docs`],
    ['API health, metrics', `${apiAdminUrl}/readyz  ${apiAdminUrl}/metrics`],
    ['relay health, metrics', `${relayAdminUrl}/readyz  ${relayAdminUrl}/metrics`],
    ['Postgres', databaseUrl],
    ['Kafka', brokers.join(',')],
    ['logs', logs],
  ] as const;
  return [
    bold('It stays up.'),
    ...rows.map(([name, value]) => `  ${dim(name.padEnd(22))} ${cyan(value)}`),
    '',
    bold('Try'),
    `  ${dim('change a price     ')} curl -i -X PATCH ${apiUrl}/products/${id} -H "authorization: Bearer $(npm run -s token)" -H 'content-type: application/merge-patch+json' -H 'if-match: ${etag}' -d '{"price":{"amount":1.05,"currency":"USD"}}'`,
    `  ${dim('see it on the topic')} npm run tail`,
    `  ${dim('look at all of it  ')} npm run outbound -- status     (slot, relay, topics, groups; --watch)`,
    `  ${dim('what became of it  ')} npm run outbound -- trace ${id}`,
    `  ${dim('is all as it should')} npm run outbound -- doctor`,
    `  ${dim('stop               ')} Ctrl-C here, or kill ${process.pid}; npm run reset removes the data`,
  ].join('\n');
}

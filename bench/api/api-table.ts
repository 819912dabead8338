import type { Floor } from '../floor.ts';
import type { ApiRow, ApiRun } from './run-api.ts';

/** The run as Markdown. */
export function apiTable({ callers, requests, rounds, rows }: ApiRun): string {
  const lines = rows.map((row) =>
    [
      row.kind,
      row.contender,
      Math.round(row.perSecond).toLocaleString('en-US'),
      row.p50Ms.toFixed(1),
      row.p99Ms.toFixed(1),
      row.serverMs.toFixed(3),
      row.postgresMs.toFixed(3),
      `${(row.refused * 100).toFixed(0)} %`,
    ].join(' | '),
  );
  return [
    `## The single request: ${callers} callers, ${requests.toLocaleString('en-US')} requests of each kind, ${rounds} interleaved round(s)`,
    '',
    '|  |  | requests/s | p50 ms | p99 ms | server CPU ms | Postgres CPU ms | refused |',
    `|${'---|'.repeat(8)}`,
    ...lines.map((line) => `| ${line} |`),
    '',
    'CPU for each request, of the process that answers and of its sessions in Postgres. Patches change four hot rows; whoever is overtaken is refused (412) and reads again. The old path reads a version alone.',
  ].join('\n');
}

/** What a release keeps to. */
export function apiFloors({ rows }: ApiRun): readonly Floor[] {
  const ours = 'outbox and relay';
  const of = (kind: ApiRow['kind'], contender: string): ApiRow | undefined =>
    rows.find((row) => row.kind === kind && row.contender === contender);
  const [create, get] = [of('create', ours), of('get', ours)];
  const [alone, old] = [of('create', 'without an outbox'), of('create', 'old path')];
  if (create === undefined || get === undefined || alone === undefined || old === undefined)
    return [];
  const floor = (
    name: string,
    side: Floor['side'],
    bound: number,
    measured: number,
    unit = '',
  ): Floor => ({ name, side, bound, measured, unit });
  return [
    floor('creates, CPU of the API', 'below', 0.35, create.serverMs, 'ms'),
    floor('creates, CPU of Postgres', 'below', 0.35, create.postgresMs, 'ms'),
    floor('reads by id, CPU of the API', 'below', 0.12, get.serverMs, 'ms'),
    floor('creates a second', 'above', 2_000, create.perSecond),
    floor(
      'creates, rate against the same without an outbox',
      'above',
      0.85,
      create.perSecond / alone.perSecond,
    ),
    floor(
      'creates, median beyond that without an outbox',
      'below',
      0.3,
      create.p50Ms - alone.p50Ms,
      'ms',
    ),
    floor('creates, rate against the old path', 'above', 2, create.perSecond / old.perSecond),
    floor('creates, p99 against the old path', 'below', 0.5, create.p99Ms / old.p99Ms),
  ];
}

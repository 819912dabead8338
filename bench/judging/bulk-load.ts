import type { EventEmitter } from 'node:events';
import { statesIn } from './outcome-of.ts';
import type { Notes } from './told.ts';

/** Of autocannon what is used here; the package brings no types. */
interface AutocannonRequest {
  readonly method: string;
  readonly path?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly setupRequest: (request: AutocannonRequest) => AutocannonRequest & { body?: string };
  readonly onResponse: (status: number, body: string) => void;
}
interface AutocannonOptions {
  readonly url: string;
  readonly connections: number;
  readonly overallRate: number;
  readonly duration: number;
  readonly timeout: number;
  readonly reconnectRate: number;
  readonly ignoreCoordinatedOmission: boolean;
  readonly requests: readonly AutocannonRequest[];
}
interface Run extends EventEmitter {
  stop(): void;
}
type Autocannon = (options: AutocannonOptions, done: (error: Error | null) => void) => Run;

const packageName = 'autocannon';
const longestSeconds = 24 * 3_600;

/** What the bulk of the load was, beside what `Notes` keep. */
export interface BulkCounts {
  readonly sent: number;
  readonly answered: number;
  readonly errors: number;
}

/**
 * The bulk of the honest load, by autocannon: reads by id, or creates, at a rate, in a closed loop of few connections. It cannot say which answer belongs to which request once a connection was closed under it, so
 * answers are judged by the entity that they show: a create that was sent and whose entity was not shown counts as unknown.
 * @returns once it has ended, after `signal`.
 */
export async function bulkLoad({
  port,
  token,
  kind,
  ratePerSecond,
  ids,
  notes,
  signal,
}: {
  port: number;
  token: string;
  kind: 'reads' | 'creates';
  ratePerSecond: number;
  ids: readonly string[];
  notes: Notes;
  signal: AbortSignal;
}): Promise<BulkCounts> {
  const { default: autocannon } = (await import(packageName)) as { default: Autocannon };
  let turn = 0;
  const counts = { sent: 0, answered: 0, errors: 0 };
  const unanswered = new Set<string>();
  const request: AutocannonRequest = {
    method: kind === 'reads' ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    setupRequest: (each) => {
      turn += 1;
      counts.sent += 1;
      if (kind === 'reads') return { ...each, path: `/products/${ids[turn % ids.length]}` };
      const tag = `bulk-${turn}`;
      unanswered.add(tag);
      return { ...each, path: '/products', body: `{"sku":"${tag}","name":"${tag}"}` };
    },
    onResponse: (status, body) => {
      counts.answered += 1;
      notes.status(status);
      if (status >= 500) notes.serverError(`autocannon, ${kind}`, status, body);
      const states = status < 300 ? statesIn(body) : [];
      if (status < 300 && states.length === 0)
        notes.trouble('wrong', `autocannon, ${kind}: ${status} without an entity`);
      notes.shown(states);
      if (kind === 'reads' && status >= 400 && status < 500 && status !== 429)
        notes.trouble('wrong', `autocannon, read: ${status} ${body.slice(0, 200)}`);
      if (kind === 'creates')
        for (const { id, version, tag } of states) {
          unanswered.delete(tag);
          notes.writes.push({ tag, due: 'done', outcome: 'done', status, id, version });
        }
    },
  };
  await new Promise<void>((resolve, reject) => {
    const run = autocannon(
      {
        url: `http://127.0.0.1:${port}`,
        connections: Math.min(10, ratePerSecond),
        overallRate: ratePerSecond,
        duration: longestSeconds,
        timeout: 30,
        // A connection that was closed under it leaves it an answer behind in its count of times, until it connects anew by itself.
        reconnectRate: 50,
        // Its correction takes the expected interval for a thousandth of what it is; raw times are kept here.
        ignoreCoordinatedOmission: true,
        requests: [request],
      },
      (error) => (error === null ? resolve() : reject(error)),
    );
    run.on('response', (_client: unknown, status: number, _bytes: number, ms: number) => {
      if (status < 500) notes.latency(`autocannon ${kind}`, ms);
    });
    run.on('reqError', () => (counts.errors += 1));
    signal.addEventListener('abort', () => run.stop());
  });
  for (const tag of unanswered)
    notes.writes.push({ tag, due: 'any', outcome: 'unknown', status: 0 });
  return counts;
}

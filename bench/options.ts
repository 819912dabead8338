import { parseArgs } from 'node:util';

export const parts = [
  'drain',
  'latency',
  'exactly-once',
  'hugetx',
  'idle',
  'rebuild',
  'reading',
  'api',
] as const;
export type Part = (typeof parts)[number];

/** What a benchmark measures and how often. */
export interface BenchOptions {
  readonly only: ReadonlySet<Part>;
  /** Events of one backlog. */
  readonly drainEvents: number;
  /** Rounds of the drain; each has its own backlog. */
  readonly runs: number;
  readonly latencySeconds: number;
  readonly latencyRatePerSecond: number;
  readonly hugeTransactionRows: number;
  readonly idleSeconds: number;
  /** Keys in the compacted topic that is rebuilt beside live events. */
  readonly rebuildKeys: number;
  /** Events that wait in the topic that readers are compared on. */
  readonly readingEvents: number;
  /** Requests of each kind, of one contender in one round of the API's comparison. */
  readonly apiRequests: number;
  /** Length of an event's payload. */
  readonly payloadBytes: number;
  /** File that gets the result. */
  readonly json: string | undefined;
  /** Folder that gets processor profiles of the relay's drains. */
  readonly profile: string | undefined;
}

export const usage = `npm run bench -- [options]
  --only PART          ${parts.join(', ')}; may be repeated (default: all)
  --drain N            events of one backlog (200000)
  --runs N             rounds of the drain, of the readers and of the API (3)
  --latency-seconds N  measured time after the warm-up (20)
  --latency-rate N     events a second (500)
  --huge-rows N        rows of the huge transaction (1000000)
  --idle-seconds N     (20)
  --rebuild-keys N     keys of the compacted topic (1000000)
  --reading-events N   events that wait for the readers that are compared (480000)
  --api-requests N     requests of each kind in one round of the API (8000)
  --payload-bytes N    length of a payload, at least 200 (200)
  --json FILE          writes the result there too
  --profile FOLDER     writes processor profiles of the relay there (slows it down)`;

/** @throws Error naming the option and what it takes. */
export function parseBenchOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string', multiple: true },
      drain: { type: 'string', default: '200000' },
      runs: { type: 'string', default: '3' },
      'latency-seconds': { type: 'string', default: '20' },
      'latency-rate': { type: 'string', default: '500' },
      'huge-rows': { type: 'string', default: '1000000' },
      'idle-seconds': { type: 'string', default: '20' },
      'rebuild-keys': { type: 'string', default: '1000000' },
      'reading-events': { type: 'string', default: '480000' },
      'api-requests': { type: 'string', default: '8000' },
      'payload-bytes': { type: 'string', default: '200' },
      json: { type: 'string' },
      profile: { type: 'string' },
    },
  });
  const count = (name: Exclude<keyof typeof values, 'only'>, min: number): number => {
    const number = Number(values[name]);
    if (!Number.isInteger(number) || number < min)
      throw new Error(
        `--${name} ${values[name] ?? ''} is not a whole number of at least ${min}\n${usage}`,
      );
    return number;
  };
  return {
    only: new Set(values.only ? values.only.map(part) : parts),
    drainEvents: count('drain', 1000),
    runs: count('runs', 1),
    latencySeconds: count('latency-seconds', 1),
    latencyRatePerSecond: count('latency-rate', 1),
    hugeTransactionRows: count('huge-rows', 1000),
    idleSeconds: count('idle-seconds', 1),
    rebuildKeys: count('rebuild-keys', 1000),
    readingEvents: count('reading-events', 1000),
    apiRequests: count('api-requests', 1000),
    payloadBytes: count('payload-bytes', 200),
    json: values.json,
    profile: values.profile,
  };
}

function part(text: string): Part {
  const known = parts.find((each) => each === text);
  if (!known) throw new Error(`--only ${text} is not one of ${parts.join(', ')}\n${usage}`);
  return known;
}

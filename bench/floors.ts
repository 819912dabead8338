import { apiFloors } from './api/api-table.ts';
import type { Floor } from './floor.ts';
import type { BenchResult } from './result.ts';
import { againstPeer, eventsPerSecond, parsedPeer, turnsOf } from './reading/reading-table.ts';
import type { ReadingRun } from './reading/run-reading.ts';
import { median } from './statistics.ts';

/** Records a second. */
const rebuildBounds = { memory: 150_000, postgres: 40_000, file: 100_000 } as const;

const mebibyte = 1024 * 1024;

/** The floors that this result can speak for; what was not measured has none. */
export function floors(result: BenchResult): readonly Floor[] {
  const { drain, latency, hugeTransaction, idle, rebuild, reading, api } = result;
  const found: Floor[] = [];
  const memory = (name: string, bytes: number): Floor => ({
    name: `peak memory, ${name}`,
    side: 'below',
    bound: 256,
    measured: bytes / mebibyte,
    unit: 'MB',
  });
  if (drain.length > 0) {
    found.push({
      name: "drain, share of the walsender's rate",
      side: 'above',
      bound: 0.4,
      measured: median(
        drain.map(({ relay, walsender }) => relay.eventsPerSecond / walsender.eventsPerSecond),
      ),
      unit: '',
    });
    const peaks = drain.map(({ relay }) => relay.usage.relay.peakResidentBytes);
    found.push(memory('drain', Math.max(...peaks)));
  }
  if (latency) {
    found.push({
      name: `p99 from commit to receipt at ${latency.ratePerSecond} events/s`,
      side: 'below',
      bound: 20,
      measured: latency.receipt.p99,
      unit: 'ms',
    });
    found.push(memory('latency', latency.usage.relay.peakResidentBytes));
  }
  if (hugeTransaction)
    found.push(
      memory(
        `transaction of ${hugeTransaction.rows} rows`,
        hugeTransaction.usage.relay.peakResidentBytes,
      ),
    );
  if (rebuild) {
    found.push({
      name: 'p99 to the live consumer during the rebuild, times that before it',
      side: 'below',
      bound: 5,
      measured: rebuild.during.p99 / rebuild.before.p99,
      unit: '',
    });
    found.push(memory(`rebuild of ${rebuild.keys} keys`, rebuild.rebuilder.peakResidentBytes));
    for (const { into, records, seconds } of rebuild.alone)
      found.push({
        name: `rebuild alone, into ${into}`,
        side: 'above',
        bound: rebuildBounds[into],
        measured: records / seconds,
        unit: 'records/s',
      });
  }
  if (reading) found.push(...readingFloors(reading));
  if (idle)
    found.push({
      name: 'processor time when idle',
      side: 'below',
      bound: 1,
      measured: idle.coreShare * 100,
      unit: '% of a core',
    });
  if (api) found.push(...apiFloors(api));
  return found;
}

function readingFloors(run: ReadingRun): readonly Floor[] {
  const rate = (reader: string, bound: number): Floor => ({
    name: `reading, ${reader}`,
    side: 'above',
    bound,
    measured: median(turnsOf(run, reader).map(eventsPerSecond)),
    unit: 'events/s',
  });
  return [
    rate('outbound, batches', 150_000),
    rate('outbound, one by one', 100_000),
    {
      name: `reading, outbound in batches, share of ${parsedPeer}`,
      side: 'above',
      bound: 0.6,
      measured: median(againstPeer(run, 'outbound, batches', parsedPeer)),
      unit: '',
    },
  ];
}

export function isMet({ side, bound, measured }: Floor): boolean {
  return side === 'above' ? measured >= bound : measured < bound;
}

/** One line, such as `met      p99 …: 9.8 ms (below 20 ms)`. */
export function floorLine(floor: Floor): string {
  const { name, side, bound, measured, unit } = floor;
  const figure = (value: number): string =>
    `${Number(value.toPrecision(3))}${unit === '' ? '' : ` ${unit}`}`;
  const limit = `${side === 'above' ? 'at least' : 'below'} ${figure(bound)}`;
  return `${isMet(floor) ? 'met    ' : 'NOT MET'}  ${name}: ${figure(measured)} (${limit})`;
}

import { spread, type Spread } from '../statistics.ts';
import type { ReadingRun, ReadingTurn } from './run-reading.ts';

/** What `outbound` is held against. */
export const parsedPeer = 'kafkajs eachBatch, JSON.parse and headers';
const rawPeer = 'kafkajs eachBatch, nothing parsed';

/** The readers' table: medians over the rounds, extremes in brackets; a ratio is taken within each round. */
export function readingTable(run: ReadingRun): string {
  const { events, partitions, turns } = run;
  const readers = [...new Set(turns.map(({ reader }) => reader))];
  const rounds = turnsOf(run, readers[0] ?? '').length;
  const line = (reader: string): string =>
    [
      reader,
      shown(spread(turnsOf(run, reader).map(eventsPerSecond)), whole),
      shown(spread(againstPeer(run, reader, parsedPeer)), (value) => value.toFixed(2)),
      shown(spread(againstPeer(run, reader, rawPeer)), (value) => value.toFixed(2)),
      shown(
        spread(turnsOf(run, reader).map((turn) => (turn.cpuSeconds * 1e6) / turn.events)),
        (value) => value.toFixed(1),
      ),
      shown(spread(turnsOf(run, reader).map(({ peakBytes }) => peakBytes / 2 ** 20)), whole),
    ].join(' | ');
  return [
    `## Reading ${whole(events)} waiting events of about 220 B in ${partitions} partitions, ${rounds} round(s)`,
    '',
    '| | events/s | of kafkajs parsed | of kafkajs raw | CPU µs an event | peak MB |',
    '|---|---|---|---|---|---|',
    ...readers.map((reader) => `| ${line(reader)} |`),
    '',
    'From the first event to the last, by the clock of the reader; CPU is the whole process, all threads, in that span. "Whole process" includes its start.',
  ].join('\n');
}

export function turnsOf({ turns }: ReadingRun, reader: string): readonly ReadingTurn[] {
  return turns.filter((turn) => turn.reader === reader);
}

export function eventsPerSecond({ events, seconds }: ReadingTurn): number {
  return events / seconds;
}

/** The reader's rate as a share of the peer's, in each round. */
export function againstPeer(run: ReadingRun, reader: string, peer: string): readonly number[] {
  const peers = turnsOf(run, peer);
  return turnsOf(run, reader).map(
    (turn, round) => eventsPerSecond(turn) / eventsPerSecond(peers[round] ?? turn),
  );
}

function shown({ median, min, max }: Spread, print: (value: number) => string): string {
  if (Number.isNaN(median)) return 'unknown';
  return min === max ? print(median) : `${print(median)} (${print(min)}–${print(max)})`;
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

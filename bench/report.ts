import { apiTable } from './api/api-table.ts';
import type { DrainRound, RelayDrain } from './drain.ts';
import type { ExactlyOnceRun } from './exactly-once.ts';
import { floorLine, floors } from './floors.ts';
import { readingTable } from './reading/reading-table.ts';
import type { RebuildRun } from './rebuild.ts';
import type { LatencyRun } from './latency.ts';
import { judgements, type BenchResult } from './result.ts';
import { spread, type LatencySummary, type Spread } from './statistics.ts';

const mebibyte = 1024 * 1024;
const whole = (value: number): string => Math.round(value).toLocaleString('en-US');
const fixed =
  (digits: number) =>
  (value: number): string =>
    value.toFixed(digits);
const megabytes = (bytes: number): string => whole(bytes / mebibyte);

/** The result as Markdown: cells are medians, with the extremes where there was more than one run. */
export function report(result: BenchResult): string {
  const { drain, latency, exactlyOnce, hugeTransaction, idle, rebuild, reading, api } = result;
  const sections = [
    heading(result),
    ...(drain.length > 0 ? [drainTable(result)] : []),
    ...(latency ? [latencyTable(result)] : []),
    ...(exactlyOnce ? [exactlyOnceTable(exactlyOnce, result)] : []),
    ...(hugeTransaction ? [hugeTransactionTable(result)] : []),
    ...(idle
      ? [
          `## Idle\n\n${fixed(2)(idle.coreShare * 100)} % of a core over ${whole(idle.seconds)} s, ${megabytes(idle.peakResidentBytes)} MB at the peak.`,
        ]
      : []),
    ...(rebuild ? [rebuildTable(rebuild, result.payloadBytes)] : []),
    ...(reading ? [readingTable(reading)] : []),
    ...(api ? [apiTable(api)] : []),
    checkerTable(result),
    `## Floors\n\n${floors(result).map(floorLine).join('\n')}`,
  ];
  return `${sections.join('\n\n')}\n`;
}

function heading(result: BenchResult): string {
  const { machine, versions, startedAt, loadPerCoreAtStart } = result;
  const busy =
    loadPerCoreAtStart > 0.3
      ? `\n\n**The machine was not quiet**: load ${fixed(1)(loadPerCoreAtStart)} per core at the start. Ratios within a run may hold; rates and latencies do not.`
      : '';
  return (
    `# Benchmark\n\n${startedAt}, commit ${machine.commit}. ${machine.cores} cores (${machine.cpuModel}), ${machine.memoryGiB} GiB, ` +
    `Linux ${machine.kernel}. Node ${machine.node}, Postgres ${versions.postgres}, Kafka ${versions.kafka} (one broker), Java ${machine.java}. ` +
    `Everything on loopback on this machine.${busy}`
  );
}

function drainTable({ drain, drainEvents, payloadBytes }: BenchResult): string {
  const of = (pick: (round: DrainRound) => number, print = whole): string =>
    cell(spread(drain.map(pick)), drain.length, print);
  const relayRow = (name: string, pick: (round: DrainRound) => RelayDrain): string =>
    row(
      name,
      of((round) => pick(round).eventsPerSecond),
      of((round) => pick(round).recordsPerSecond),
      of((round) => pick(round).eventsPerSecond / round.walsender.eventsPerSecond, fixed(2)),
      of((round) => pick(round).startSeconds, fixed(1)),
      of((round) => pick(round).wallSeconds, fixed(1)),
      of((round) => pick(round).usage.relay.peakResidentBytes, megabytes),
      [
        of((round) => per100k(pick(round).usage.relay.cpuSeconds, drainEvents), fixed(1)),
        of((round) => per100k(pick(round).usage.walsenderCpuSeconds, drainEvents), fixed(1)),
        of((round) => per100k(pick(round).usage.brokerCpuSeconds, drainEvents), fixed(1)),
      ].join(' / '),
      [
        of((round) => pick(round).otherCores, fixed(2)),
        of((round) => pick(round).stolenCores, fixed(2)),
      ].join(' / '),
    );
  return [
    `## Drain: ${whole(drainEvents)} transactions of one event, payload ${payloadBytes} B, ${drain.length} interleaved run(s)`,
    '',
    row(
      '',
      'events/s',
      'records/s',
      'of walsender',
      'first append s',
      'last append s',
      'peak MB',
      'CPU s per 100k events: relay / walsender / broker',
      'cores of others / stolen',
    ),
    rule(9),
    row(
      'walsender alone',
      of(({ walsender }) => walsender.eventsPerSecond),
      '',
      '1',
      '',
      of(({ walsender }) => walsender.seconds, fixed(1)),
      '',
      '',
      '',
    ),
    relayRow('relay, two topics (as declared)', ({ relay }) => relay),
    relayRow('relay, one topic', ({ oneRoute }) => oneRoute),
    '',
    "Rates are from the broker's first append to its last (walsender: first byte to last). Seconds and CPU include the start of the process.",
  ].join('\n');
}

function latencyTable({ latency, payloadBytes }: BenchResult): string {
  if (!latency) return '';
  const line = (name: string, summary: LatencySummary, digits: number): string =>
    row(
      name,
      ...[summary.p50, summary.p95, summary.p99, summary.max].map((value) => fixed(digits)(value)),
    );
  return [
    `## Latency: ${latency.ratePerSecond} events/s, open loop, ${latency.seconds} s, payload ${payloadBytes} B`,
    '',
    row('ms from commit to', 'p50', 'p95', 'p99', 'max'),
    rule(5),
    line("consumer's receipt", latency.receipt, 1),
    line("broker's append (clock of 1 ms)", latency.append, 0),
    '',
    `${whole(latency.receipt.count)} events timed. Relay: ${megabytes(latency.usage.relay.peakResidentBytes)} MB at the peak, ` +
      `${fixed(1)(latency.usage.relay.cpuSeconds)} s of processor time. Stolen cores: ${fixed(2)(latency.stolenCores)}.`,
  ].join('\n');
}

function exactlyOnceTable(
  { drains, plain, exact }: ExactlyOnceRun,
  { drainEvents, payloadBytes }: BenchResult,
): string {
  const line = (
    name: string,
    pick: (round: ExactlyOnceRun['drains'][number]) => RelayDrain,
    { receipt, append }: LatencyRun,
  ): string => {
    const of = (value: (drain: RelayDrain) => number, print = whole): string =>
      cell(spread(drains.map((round) => value(pick(round)))), drains.length, print);
    return row(
      name,
      of(({ eventsPerSecond }) => eventsPerSecond),
      of(({ usage }) => per100k(usage.relay.cpuSeconds, drainEvents), fixed(1)),
      of(({ usage }) => per100k(usage.brokerCpuSeconds, drainEvents), fixed(1)),
      of(({ usage }) => usage.relay.peakResidentBytes, megabytes),
      ...[receipt.p50, receipt.p95, receipt.p99, receipt.max].map(fixed(1)),
      fixed(0)(append.p50),
    );
  };
  return [
    `## Exactly once: a backlog of ${whole(drainEvents)}, ${drains.length} interleaved run(s); then ${plain.ratePerSecond} events/s for ${plain.seconds} s; payload ${payloadBytes} B`,
    '',
    row(
      'two topics',
      'events/s',
      'relay CPU s per 100k',
      'broker CPU s per 100k',
      'peak MB',
      'receipt p50 ms',
      'p95',
      'p99',
      'max',
      'append p50',
    ),
    rule(10),
    line('at least once', (round) => round.plain, plain),
    line('exactly once', (round) => round.exact, exact),
    '',
    'The consumer reads committed records in both rows: it gets a record when its transaction is committed, the append is before.',
  ].join('\n');
}

function hugeTransactionTable({ hugeTransaction }: BenchResult): string {
  if (!hugeTransaction) return '';
  const { rows, eventsPerSecond, wallSeconds, usage } = hugeTransaction;
  return [
    `## One transaction of ${whole(rows)} rows`,
    '',
    row('events/s', 'last append s', 'peak MB', 'CPU s per 100k events'),
    rule(4),
    row(
      whole(eventsPerSecond),
      fixed(1)(wallSeconds),
      megabytes(usage.relay.peakResidentBytes),
      fixed(1)(per100k(usage.relay.cpuSeconds, rows)),
    ),
  ].join('\n');
}

function rebuildTable(run: RebuildRun, payloadBytes: number): string {
  const line = (name: string, { count, p50, p95, p99, max }: LatencySummary): string =>
    row(name, whole(count), ...[p50, p95, p99, max].map((value) => fixed(1)(value)));
  const { keys, rebuiltRows, records, bytes, seconds, wallSeconds, rebuilder } = run;
  return [
    `## Rebuild of ${whole(keys)} keys into Postgres beside ${run.ratePerSecond} live events/s, payload ${payloadBytes} B`,
    '',
    row("ms from commit to the live consumer's receipt", 'events', 'p50', 'p95', 'p99', 'max'),
    rule(6),
    line('before the rebuild', run.before),
    line('during the rebuild', run.during),
    '',
    `Rebuild: ${whole(records)} records (${megabytes(bytes)} MB) in ${fixed(1)(seconds)} s, ${whole(records / seconds)} records/s; caught up at ${run.caughtUpAt}, ` +
      `${fixed(1)(wallSeconds)} s after its process was started. ${whole(rebuiltRows)} of ${whole(keys)} keys in the table. ` +
      `Rebuilder: ${megabytes(rebuilder.peakResidentBytes)} MB at the peak, ${fixed(1)(rebuilder.cpuSeconds)} s of processor time. Stolen cores: ${fixed(2)(run.stolenCores)}.`,
    '',
    row('alone, into', 'records/s', 'peak MB', 'CPU µs a record'),
    rule(4),
    ...run.alone.map((each) =>
      row(
        each.into,
        whole(each.records / each.seconds),
        megabytes(each.usage.peakResidentBytes),
        fixed(1)((each.usage.cpuSeconds * 1e6) / each.records),
      ),
    ),
  ].join('\n');
}

function checkerTable(result: BenchResult): string {
  return [
    '## What the checker found',
    '',
    row('', 'events', 'records', 'lost', 'duplicated', 'reordered', 'altered', 'other'),
    rule(8),
    ...judgements(result).map(({ of, judgement }) =>
      row(
        of,
        whole(judgement.committed),
        whole(judgement.records),
        whole(judgement.lost),
        whole(judgement.duplicated),
        whole(judgement.reordered),
        whole(judgement.altered),
        judgement.other.join('; ') || 'none',
      ),
    ),
  ].join('\n');
}

const per100k = (seconds: number, events: number): number => (seconds * 100_000) / events;
const row = (...cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
const rule = (columns: number): string => `|${'---|'.repeat(columns)}`;

function cell(
  { median, min, max }: Spread,
  runs: number,
  print: (value: number) => string,
): string {
  return runs === 1 ? print(median) : `${print(median)} (${print(min)}–${print(max)})`;
}

import type { Floor } from '../floor.ts';
import { floorLine, isMet } from '../floors.ts';
import type { Judgement } from '../judge.ts';
import { quantile } from '../statistics.ts';
import type { ProcessFigures, RestartStep } from './fleet.ts';
import type { WrongAnswers } from './judge-answers.ts';
import { phases, type Phase, type Told, type Trouble } from './told.ts';

/** A time in which processes were restarted, ms since 1970. */
export interface RestartWindow {
  readonly phase: Phase;
  readonly fromMs: number;
  readonly toMs: number;
  readonly steps: readonly RestartStep[];
}

/** Everything that was found. */
export interface JudgingRun {
  readonly honest: Told;
  readonly hostile: Told;
  readonly restarts: readonly RestartWindow[];
  readonly processes: readonly ProcessFigures[];
  /** Connections that met no process that was ready. */
  readonly refused: number;
  readonly answers: WrongAnswers;
  readonly judgement: Judgement;
}

/** A process of the API may use this at the most, with the heap of 256 MB that it is given here. */
const memoryBoundMiB = 512;
const openLoopKind = 'all of the open loop';
/** The kinds of autocannon's, which are no open loop and stand in rows of their own. */
const isBulk = (kind: string): boolean => kind.startsWith('autocannon');

/** Times of the answers of a phase, by kind, with all of the open loop first. */
export function latenciesOf(
  { latencies }: Told,
  phase: Phase,
): ReadonlyMap<string, readonly number[]> {
  const kinds = new Map<string, readonly number[]>([[openLoopKind, []]]);
  const all: number[] = [];
  for (const [key, values] of Object.entries(latencies)) {
    if (!key.startsWith(`${phase}: `)) continue;
    const kind = key.slice(phase.length + 2);
    kinds.set(kind, values);
    if (!isBulk(kind)) for (const value of values) all.push(value);
  }
  kinds.set(openLoopKind, all);
  return kinds;
}

/** When a trouble came: its phase, and within a restart what had happened last. */
export function momentOf({ phase, atMs }: Trouble, restarts: readonly RestartWindow[]): string {
  const window = restarts.find(({ fromMs, toMs }) => atMs >= fromMs && atMs <= toMs);
  if (window === undefined) return `${phase}, outside of restarts`;
  const step = window.steps.findLast((each) => each.atMs <= atMs);
  return `${phase}, restart: ${step?.what ?? 'begins'}`;
}

/** What honest callers should not have met, by kind and moment. Empty if there was nothing. */
function troubleTable({ honest, restarts }: JudgingRun): readonly string[] {
  const counts = new Map<string, number>();
  const inOrder = honest.troubles.toSorted(
    (a, b) => phases.indexOf(a.phase) - phases.indexOf(b.phase) || a.atMs - b.atMs,
  );
  for (const trouble of inOrder) {
    const row = `${trouble.problem ?? trouble.kind} | ${momentOf(trouble, restarts)}`;
    counts.set(row, (counts.get(row) ?? 0) + 1);
  }
  if (counts.size === 0) return [];
  const rows = [...counts].map(([row, count]) => `| ${row} | ${count} |`);
  return ['', '| honest callers met | when | times |', '|---|---|---|', ...rows, ''];
}

/** The table of times, statuses and processes. */
export function judgingTable(run: JudgingRun): string {
  const [without, during] = [latenciesOf(run.honest, 'without'), latenciesOf(run.honest, 'with')];
  const figure = (values: readonly number[] | undefined, q: number): string =>
    values === undefined || values.length === 0 ? '–' : quantile(values, q).toFixed(1);
  const rows = [...without].map(([kind, values]) => {
    const other = during.get(kind);
    const ratio =
      values.length === 0 || other === undefined || other.length === 0
        ? '–'
        : (quantile(other, 0.99) / quantile(values, 0.99)).toFixed(2);
    const cells = [
      kind,
      values.length,
      figure(values, 0.5),
      figure(values, 0.99),
      other?.length ?? 0,
      figure(other, 0.5),
      figure(other, 0.99),
      ratio,
    ];
    return `| ${cells.join(' | ')} |`;
  });
  const statuses = (told: Told, phase: Phase): string =>
    Object.entries(told.statuses)
      .filter(([key]) => key.startsWith(`${phase}: `))
      .map(([key, count]) => `${key.slice(phase.length + 2)} × ${count}`)
      .sort()
      .join(', ');
  return [
    '| honest callers | without | p50 ms | p99 ms | with hostile | p50 ms | p99 ms | p99, times |',
    `|${'---|'.repeat(8)}`,
    ...rows,
    '',
    `honest answers without: ${statuses(run.honest, 'without')}`,
    `honest answers with hostile callers: ${statuses(run.honest, 'with')}`,
    `hostile changes: ${statuses(run.hostile, 'with')}`,
    '',
    ...run.processes.map(
      ({ name, peakBytes, longestBlock: { wallMs, cpuMs }, hasFailed }) =>
        `API ${name}: peak ${mebibytes(peakBytes).toFixed(0)} MiB, longest block of the loop ${cpuMs.toFixed(0)} ms of processor time (${wallMs.toFixed(0)} ms of the wall)${hasFailed ? ', FAILED' : ''}`,
    ),
    ...troubleTable(run),
    ...examplesOf(run),
    ...run.answers.examples,
    ...run.judgement.other,
  ].join('\n');
}

/** One line for each bound, then what has none, then the verdict: passed if every bound is met. */
export function judgingVerdicts(run: JudgingRun): {
  readonly lines: readonly string[];
  readonly hasPassed: boolean;
} {
  const { honest, restarts, processes, judgement } = run;
  const none = (name: string, measured: number): Floor => ({
    name,
    side: 'below',
    bound: 1,
    measured,
    unit: '',
  });
  const wrong =
    sum([...run.answers.counts.values()]) +
    [...honest.troubles, ...run.hostile.troubles].filter(({ kind }) => kind === 'wrong').length;
  const broken = honest.troubles.filter(({ kind }) => kind === 'broken').length;
  const noAnswer = honest.troubles.filter(({ kind }) => kind === 'no answer').length;
  const of5xx = honest.troubles.filter(({ kind }) => kind === '5xx');
  const inRestart = of5xx.filter(({ atMs }) =>
    restarts.some(({ fromMs, toMs }) => atMs >= fromMs && atMs <= toMs),
  ).length;
  const floors: readonly Floor[] = [
    ...p99Floors(honest),
    none('wrong answers', wrong),
    none('broken answers to honest callers', broken),
    none('events lost', judgement.lost),
    none('records doubled', judgement.duplicated),
    none('records reordered', judgement.reordered),
    none('records altered', judgement.altered),
    none('other findings of the history checker', judgement.other.length),
    none('processes that failed', processes.filter(({ hasFailed }) => hasFailed).length),
    none('requests of honest callers without an answer', noAnswer),
    none('connections that met no process that was ready', run.refused),
    none(`5xx to honest callers in ${restarts.length} rolling restarts`, inRestart),
    {
      name: 'peak memory of a process of the API',
      side: 'below',
      bound: memoryBoundMiB,
      measured: mebibytes(Math.max(...processes.map(({ peakBytes }) => peakBytes))),
      unit: 'MiB',
    },
  ];
  const missed = floors.filter((floor) => !isMet(floor));
  const longest = Math.max(...processes.map(({ longestBlock }) => longestBlock.cpuMs));
  return {
    lines: [
      ...floors.map(floorLine),
      `found    5xx to honest callers outside of restarts: ${of5xx.length - inRestart}`,
      `found    longest block of a loop: ${longest.toFixed(0)} ms of processor time`,
      '',
      missed.length === 0
        ? 'PASSED: every bound is met'
        : `FAILED: ${missed.length} of ${floors.length} bounds are not met (${missed.map(({ name }) => name).join('; ')})`,
    ],
    hasPassed: missed.length === 0,
  };
}

/** The first five troubles of each kind and phase. */
function examplesOf({ honest, restarts }: JudgingRun): readonly string[] {
  const seen = new Map<string, number>();
  return honest.troubles.flatMap(({ kind, phase, what, atMs }) => {
    const key = `${phase}, ${kind}`;
    seen.set(key, (seen.get(key) ?? 0) + 1);
    const window = restarts.find((each) => each.phase === phase);
    const at = ((atMs - (window?.fromMs ?? NaN)) / 1_000).toFixed(1);
    return (seen.get(key) ?? 0) > 5 ? [] : [`${key}, ${at} s after the restart began: ${what}`];
  });
}

function p99Floors(honest: Told): readonly Floor[] {
  const during = latenciesOf(honest, 'with');
  return [...latenciesOf(honest, 'without')].flatMap(([kind, values]) => {
    const other = during.get(kind) ?? [];
    if (values.length === 0 || other.length === 0) return [];
    if (kind !== openLoopKind) return [];
    return {
      name: `honest p99 with hostile callers, times that without, ${kind}`,
      side: 'below' as const,
      bound: 2,
      measured: quantile(other, 0.99) / quantile(values, 0.99),
      unit: '',
    };
  });
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function mebibytes(bytes: number): number {
  return bytes / 2 ** 20;
}

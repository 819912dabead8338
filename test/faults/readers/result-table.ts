import type { RoundResult } from './round.ts';

const columns: readonly (readonly [string, (result: RoundResult) => string | number])[] = [
  ['seed', ({ plan }) => plan.seed],
  ['kind', ({ plan }) => plan.kind],
  ['replicas', ({ plan }) => plan.replicas],
  ['members', ({ plan }) => `${plan.members} ${plan.form}`],
  ['events', ({ events }) => events],
  ['moves', ({ moves }) => moves],
  ['lost', ({ lost }) => lost],
  ['gaps', ({ gaps }) => gaps],
  ['order', ({ disorder }) => disorder],
  ['uncommitted', ({ uncommitted }) => uncommitted],
  ['crashes', ({ crashes }) => crashes.length],
  ['duplicates', ({ duplicates }) => duplicates],
  ['pause all', ({ pauseAllMs }) => inSeconds(pauseAllMs)],
  ['one', ({ pausePartitionMs }) => inSeconds(pausePartitionMs)],
  ['touched', ({ pauseTouchedMs }) => inSeconds(pauseTouchedMs)],
  ['others', ({ pauseOthersMs }) => inSeconds(pauseOthersMs)],
  ['seconds', ({ seconds }) => seconds],
];

/** The results as a Markdown table, one line a round; pauses in seconds. */
export function resultTable(results: readonly RoundResult[]): string {
  const rows = [
    columns.map(([name]) => name),
    columns.map(() => '---'),
    ...results.map((result) => columns.map(([, value]) => String(value(result)))),
  ];
  return rows.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** What is wrong with a round, in a line each; nothing if it kept every promise. */
export function faultsOf(result: RoundResult): string[] {
  const { lost, gaps, disorder, uncommitted, unknown, stuck, crashes, examples } = result;
  const counted: readonly (readonly [number, string])[] = [
    [lost, `events committed over and never handled: ${examples.join('; ')}`],
    [gaps, 'versions missing below a later one of their key'],
    [disorder, 'events first handled after a later one of their key'],
    [uncommitted, 'events not committed at the end'],
    [unknown, 'handled events that are not in the topic'],
  ];
  // A transactional producer of kafkajs may leave real gaps in the topic when a broker goes away.
  const isFalse = result.alarms > 0 && gaps === 0 && result.plan.kind !== 'transactions';
  return [
    ...(isFalse ? [`${result.alarms} version gaps were told where there are none`] : []),
    ...counted.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`),
    ...(stuck === undefined ? [] : [stuck]),
    ...crashes.map((said) => `a member ended by itself: ${said}`),
  ].map((fault) => `seed ${result.plan.seed}, ${result.plan.kind}: ${fault}`);
}

const inSeconds = (ms: number): string => (ms / 1000).toFixed(1);

import { differenceKinds, type DifferenceKind } from './entity-states.ts';
import { differenceCount, type Verdict } from './findings.ts';

/** What each kind means, for people. */
const meanings: Readonly<Record<DifferenceKind, string>> = {
  missing: 'the row lives, its key has no record or a tombstone',
  stale: 'the record says a lower version than the row',
  altered: 'the same version with other content',
  ahead: 'the record says a higher version than the row: was the database restored from a backup?',
  ghost: 'a record without a row',
  undeleted: 'a record of a deleted row: its tombstone is missing',
  unreadable: 'the value is no event of its key',
  misplaced: "a record on a partition that is not its key's (partition/key)",
};

/** A verdict as the command answers it with `--json`. Numbers that are not known are null. */
export function verdictToJson(verdict: Verdict) {
  return {
    aggregate: verdict.aggregate,
    topic: verdict.topic,
    state: verdict.state,
    compared: verdict.compared,
    rows_live: verdict.rows.live,
    rows_deleted: verdict.rows.deleted,
    differences: differenceCount(verdict.findings),
    ...Object.fromEntries(differenceKinds.map((kind) => [kind, verdict.findings[kind].count])),
    undecided: verdict.undecided,
    undecided_why: verdict.undecidedWhy ?? null,
    behind_bytes: verdict.behindBytes === undefined ? null : Number(verdict.behindBytes),
    candidates: verdict.candidates,
    rounds: verdict.rounds,
    duration_ms: verdict.durationMs,
    ids: Object.fromEntries(
      differenceKinds
        .filter((kind) => verdict.findings[kind].count > 0)
        .map((kind) => [kind, verdict.findings[kind].ids]),
    ),
  };
}

/** A verdict for a person: one line, and below it what differs, kind by kind. */
export function verdictText(verdict: Verdict): string {
  const { aggregate, findings, rows, compared, undecided, undecidedWhy, state } = verdict;
  const lines = [
    `${aggregate}: ${headline(verdict)}: ${count(compared)} entities compared (${count(rows.live)} live rows, ${count(rows.deleted)} deleted), ${count(verdict.candidates)} looked at again in ${verdict.rounds} rounds, ${(verdict.durationMs / 1000).toFixed(1)} s`,
  ];
  for (const kind of differenceKinds) {
    const found = findings[kind];
    if (found.count === 0) continue;
    lines.push(`  ${kind} ${count(found.count)}: ${meanings[kind]}`);
    lines.push(...found.ids.map((id) => `    ${printable(id)}`));
    const more = found.count - found.ids.length;
    if (more > 0) lines.push(`    and ${count(more)} more (--max-ids)`);
  }
  if (undecided > 0)
    lines.push(
      `  ${state === 'undecided' ? 'not known whether they differ' : 'undecided'} ${count(undecided)}: ${undecidedWhy ?? ''}`,
    );
  return lines.join('\n');
}

function headline({ state, findings, undecided }: Verdict): string {
  if (state === 'clean') return 'clean';
  if (state === 'undecided') return `undecided, ${count(undecided)} entities`;
  return `${count(differenceCount(findings))} DIFFERENCES`;
}

/** A key that a stranger wrote may hold anything; nothing of it may move the cursor. */
function printable(id: string): string {
  return /^[\x20-\x7e]*$/.test(id) ? id : JSON.stringify(id).replace(/[^\x20-\x7e]/g, '?');
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}

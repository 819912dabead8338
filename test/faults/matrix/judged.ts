import type { Verdict } from '../../history/history-checker.ts';
import type { JudgedPromise } from '../../history/violations.ts';
import type { Judgement } from './fault-row.ts';

/** What a promise is judged by where no history is: a sentence and whether it holds. */
export function judged(promise: string, holds: boolean, found: string): Judgement {
  return { promise, holds, found };
}

const figure = (count: number) => count.toLocaleString('en');

/** What the history shows for each of these promises, with the first violation in its own words. */
export function judgedHistory(
  verdict: Verdict,
  promises: readonly JudgedPromise[] = ['I1', 'I2', 'I3', 'I4', 'I5', 'I7'],
): Judgement[] {
  // Whatever else the checker found must not get lost because the row did not name it.
  const all = [...new Set([...promises, ...verdict.violations.map(({ promise }) => promise)])];
  return all.sort().map((promise) => {
    const broken = verdict.violations.filter((violation) => violation.promise === promise);
    return judged(promise, broken.length === 0, broken[0]?.sentence ?? foundOf(promise, verdict));
  });
}

function foundOf(promise: JudgedPromise, verdict: Verdict): string {
  switch (promise) {
    case 'I1':
      return `${figure(verdict.committed)} events, 0 lost`;
    case 'I2':
      return '0 ghosts';
    case 'I3':
      return '0 out of order';
    case 'I4':
      return '0 stale';
    case 'I5':
      return '0 altered';
    case 'I6':
      return '0 acknowledged early';
    case 'I7':
      return `${figure(verdict.duplicates)} duplicates`;
  }
}

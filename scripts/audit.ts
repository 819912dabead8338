import { judgeAudit, type ExplainedFinding } from './audit-verdict.ts';
import { runStep } from './run-step.ts';

/** Findings that stay, each with its reason; none now. */
const explained: readonly ExplainedFinding[] = [];

/**
 * `npm run audit`: what is known of the packages in the lock file. Exit code 1 for a finding without an explanation in this file, or an explanation without its finding. A registry that
 * has no audit, or cannot be reached, is said aloud and is no failure: a build must not depend on it.
 */
const { output } = await runStep('audit', ['npm', 'audit', '--json', '--loglevel', 'silent']);
const verdict = judgeAudit(output, explained);
if (verdict.kind === 'unknown')
  console.log(`audit: UNKNOWN, the registry could not be asked: ${verdict.why}`);
else {
  for (const line of verdict.unexplained) console.log(`audit: ${line}`);
  for (const id of verdict.outdated)
    console.log(`audit: ${id} is explained and not found: remove it`);
  const wrong = verdict.unexplained.length + verdict.outdated.length;
  if (wrong === 0) console.log('audit: nothing is known of the packages that are not explained');
  process.exitCode = wrong === 0 ? 0 : 1;
}

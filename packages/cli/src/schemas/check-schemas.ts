import {
  brokenBy,
  changeRules,
  changeText,
  judgeEventType,
  levelOf,
  readReleases,
  type EventTypeVerdict,
  type ReleasedSchema,
} from '@outbound/contract';
import { eventTypes } from '@outbound/schemas';
import { Option, type Command } from 'commander';
import type { CliContext } from '../context.ts';
import { CliError, exitCodes, type ExitCode } from '../exit-codes.ts';
import type { Bind } from '../verb.ts';

/** Where releases are kept, seen from the root of the repository. */
export const releasedFolder = 'packages/schemas/released';

/** The option of every verb that reads or writes releases. */
export function releasedOption(): Option {
  return new Option('--released <folder>', 'where the released schemas are kept').default(
    releasedFolder,
  );
}

/** `outbound schemas check`: whether the declared event types may follow the released ones. */
export function addSchemasCheck(schemas: Command, bind: Bind): void {
  schemas
    .command('check')
    .description('Compares the event types with their releases, by the rules of Zalando.')
    .addOption(releasedOption())
    .action(bind((context, { released }: { released: string }) => check(context, released)));
}

async function check({ output }: CliContext, folder: string): Promise<ExitCode> {
  const releases = await releasesIn(folder);
  const verdicts = [...eventTypes.values()].map((each) => judgeEventType(each, releases));
  output.answer(verdicts.map(verdictToJson), () =>
    verdictText(verdicts, output.table.bind(output)),
  );
  return verdicts.every(({ problems }) => problems.length === 0)
    ? exitCodes.done
    : exitCodes.differs;
}

/** @throws CliError RELEASES_UNREADABLE, saying which folder or file, and how to point elsewhere. */
export async function releasesIn(folder: string): Promise<readonly ReleasedSchema[]> {
  try {
    return await readReleases(folder);
  } catch (cause) {
    throw new CliError(
      'RELEASES_UNREADABLE',
      `the released schemas cannot be read (${cause instanceof Error ? cause.message : String(cause)}): run it in the repository, or say --released`,
      { exitCode: exitCodes.usage, cause },
    );
  }
}

/** The verdict as it stands in JSON; `level` and `released_version` are null where there is none. */
export function verdictToJson(verdict: EventTypeVerdict): Record<string, unknown> {
  return {
    event_type: verdict.name,
    compatibility_mode: verdict.mode,
    released_version: verdict.releasedVersion ?? null,
    declared_version: verdict.declaredVersion,
    level: verdict.level ?? null,
    changes: verdict.changes.map(({ kind, path, detail }) => ({
      path,
      kind,
      detail,
      level: levelOf(kind, verdict.mode),
      breaks: brokenBy(kind),
      rule: changeRules[kind].rule,
    })),
    problems: verdict.problems,
  };
}

/** A table of the verdicts, and under it what changed and what has to be done. */
export function verdictText(
  verdicts: readonly EventTypeVerdict[],
  table: (head: readonly string[], rows: readonly (readonly string[])[]) => string,
): string {
  const rows = verdicts.map((verdict) => [
    verdict.name,
    verdict.mode,
    verdict.releasedVersion ?? 'none',
    verdict.declaredVersion,
    verdict.level ?? 'no change',
    verdict.problems.length === 0 ? 'ok' : 'NOT OK',
  ]);
  const lines = verdicts.flatMap(({ name, mode, changes, problems }) => [
    ...changes.map((change) => `${name}: ${levelOf(change.kind, mode)} ${changeText(change)}`),
    ...problems.map((problem) => `${name}: ! ${problem}`),
  ]);
  return [table(['EVENT TYPE', 'MODE', 'RELEASED', 'DECLARED', 'LEVEL', ''], rows), ...lines].join(
    '\n',
  );
}

import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { judgeEventType, releaseOf, releasePath } from '@outbound/contract';
import { eventTypes } from '@outbound/schemas';
import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { CliError, exitCodes, type ExitCode } from '../exit-codes.ts';
import type { Bind } from '../verb.ts';
import { releasedOption, releasesIn } from './check-schemas.ts';

/** `outbound schemas release`: writes down the schema of every event type whose version is not released yet. */
export function addSchemasRelease(schemas: Command, bind: Bind): void {
  schemas
    .command('release')
    .description(
      'Writes the schemas of versions that are not released yet; never over one that is.',
    )
    .addOption(releasedOption())
    .action(bind((context, { released }: { released: string }) => release(context, released)));
}

/**
 * All or nothing: if one event type may not be released, none is.
 * @throws CliError SCHEMA_NOT_RELEASABLE, naming the event type and what is wrong.
 */
async function release({ output }: CliContext, folder: string): Promise<ExitCode> {
  await mkdir(folder, { recursive: true });
  const releases = await releasesIn(folder);
  const wanted = [...eventTypes.values()].filter(({ name, version }) =>
    releases.every((each) => each.event_type !== name || each.version !== version),
  );
  for (const eventType of eventTypes.values()) {
    const made = wanted.includes(eventType) ? [...releases, releaseOf(eventType)] : releases;
    // As it is, and as it would be: the first sees the step from the last release, the second whether everything is in
    // order then.
    const problems = new Set([
      ...judgeEventType(eventType, releases).problems.filter((each) => !isUnreleased(each)),
      ...judgeEventType(eventType, made).problems,
    ]);
    if (problems.size > 0)
      throw new CliError(
        'SCHEMA_NOT_RELEASABLE',
        `nothing was written: ${eventType.name} ${eventType.version}: ${[...problems].join('; ')}`,
        { exitCode: exitCodes.differs },
      );
  }
  const written: string[] = [];
  for (const eventType of wanted) {
    const made = releaseOf(eventType);
    const path = join(folder, releasePath(made));
    await mkdir(dirname(path), { recursive: true });
    // Exclusive: a release is never written over, not even by two runs at once.
    await writeFile(path, `${JSON.stringify(made, null, 2)}\n`, { flag: 'wx' });
    written.push(path);
  }
  output.answer({ written }, () =>
    written.length === 0
      ? 'Every version is released.'
      : written.map((path) => `wrote ${path}`).join('\n'),
  );
  return exitCodes.done;
}

function isUnreleased(problem: string): boolean {
  return problem.includes('is not released');
}

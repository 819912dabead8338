import {
  createMemoryStore,
  openFileStore,
  openPostgresStore,
  type StateStore,
} from '@outbound/consumer';
import type { CliContext } from '../context.ts';
import { CliError, exitCodes } from '../exit-codes.ts';

/** What a state can be rebuilt into from the command line. */
export const targets = ['memory', 'postgres', 'file'] as const;
export type TargetKind = (typeof targets)[number];

export interface TargetOptions {
  readonly into: TargetKind;
  readonly table?: string;
  readonly file?: string;
}

/** A target, open, and what to call it. */
export interface Target {
  readonly store: StateStore;
  readonly name: string;
}

/**
 * Opens the target; the caller closes it.
 * @throws CliError OPTIONS_CONTRADICT for options that do not fit; ConsumerError STORE_UNUSABLE
 */
export async function openTarget(
  context: CliContext,
  { into, table, file }: TargetOptions,
  topic: string,
): Promise<Target> {
  requireFit(into, 'postgres', '--table', table);
  requireFit(into, 'file', '--file', file);
  if (table !== undefined)
    return {
      store: await openPostgresStore(await context.database(), { table, topic }),
      name: `table ${table}`,
    };
  if (file !== undefined) return { store: await openFileStore(file, topic), name: `file ${file}` };
  return { store: createMemoryStore(), name: 'memory' };
}

function requireFit(
  into: TargetKind,
  kind: TargetKind,
  flag: string,
  given: string | undefined,
): void {
  if ((into === kind) === (given !== undefined)) return;
  throw new CliError(
    'OPTIONS_CONTRADICT',
    into === kind
      ? `--into ${kind} needs ${flag}`
      : `${flag} goes with --into ${kind}, and this is --into ${into}: leave one of them out`,
    { exitCode: exitCodes.usage },
  );
}

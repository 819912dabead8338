import type { Command } from 'commander';
import type { CliContext } from './context.ts';
import type { ExitCode } from './exit-codes.ts';

/** What a verb does with its arguments and options; gives how it ended. */
export type RunVerb<Arguments extends readonly unknown[]> = (
  context: CliContext,
  ...parameters: Arguments
) => Promise<ExitCode>;

/** Binds a verb's work to its command: the context is made from the global options, and closed afterwards. */
export type Bind = <Arguments extends readonly unknown[]>(
  run: RunVerb<Arguments>,
) => (...parameters: Arguments) => Promise<void>;

/** Adds one verb to the program: its name, arguments, options and help, and what it runs. */
export type AddVerb = (program: Command, bind: Bind) => void;

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

/** Gives a verb its arguments, options and help, and what it runs; its name and description are in the list of verbs. */
export type AddVerb = (verb: Command, bind: Bind) => void;

/** A verb as the help lists it, without what it runs. */
export interface ListedVerb {
  readonly name: string;
  /** Its arguments as commander writes them, without `[options]`; a test holds it to what the verb declares. */
  readonly usage: string;
  readonly description: string;
  /** Its module, with everything that the verb needs to run. */
  readonly load: () => Promise<AddVerb>;
}

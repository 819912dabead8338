import { PipelineError } from '@outbound/service-kit';

/** How `outbound` ends; stable, for scripts. */
export const exitCodes = {
  done: 0,
  /** Something failed that no other code names. */
  failed: 1,
  /** The command line or a setting is wrong; nothing was done. */
  usage: 2,
  /** It worked, and the answer is "not as it should be": verify found differences, doctor a fault, schemas a break. */
  differs: 3,
  /** A verb that changes something was not confirmed; nothing was done. */
  notConfirmed: 4,
  /** Postgres, Kafka or the API did not answer. */
  unavailable: 5,
  /** Another run of the same kind is under way; nothing was done. */
  busy: 6,
  /** Ctrl-C. Source: the shells' 128 + SIGINT. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** An error of the command line that knows its exit code. The message says what to do. */
export class CliError extends PipelineError {
  readonly exitCode: ExitCode;
  constructor(
    code: string,
    message: string,
    { exitCode = exitCodes.failed, cause }: { exitCode?: ExitCode; cause?: unknown } = {},
  ) {
    super(code, message, { cause });
    this.exitCode = exitCode;
  }
}

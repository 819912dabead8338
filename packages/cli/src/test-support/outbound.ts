import type { Environment } from '@outbound/service-kit';
import type { WriteBytes } from '../console/output.ts';
import type { ExitCode } from '../exit-codes.ts';
import { runCli } from '../run-cli.ts';
import type { ListedVerb } from '../verb.ts';
import { verbs as allVerbs } from '../verbs.ts';

/** How one run of the command line ended. */
export interface Run {
  readonly code: ExitCode;
  readonly out: string;
  readonly err: string;
  /** Every line of `out`, parsed: for runs with `--json`. */
  readonly json: () => unknown[];
}

/** Runs `outbound` in this process, with nothing of the real environment, and gives what it wrote. */
export async function outbound(
  argv: readonly string[],
  {
    env = {},
    verbs = allVerbs,
    signal = new AbortController().signal,
    isTTY = false,
    localEnvFile,
    onNote = () => undefined,
    onAnswer = () => undefined,
    writeBytes,
  }: {
    readonly env?: Environment;
    readonly verbs?: readonly ListedVerb[];
    readonly signal?: AbortSignal;
    readonly isTTY?: boolean;
    readonly localEnvFile?: string;
    /** Called with each text on standard error as it comes. */
    readonly onNote?: (text: string) => void;
    /** The same of standard output. */
    readonly onAnswer?: (text: string) => void;
    /** Takes bytes of the answer; else they are in `out`, a character each. */
    readonly writeBytes?: WriteBytes;
  } = {},
): Promise<Run> {
  let out = '';
  let err = '';
  const code = await runCli(
    {
      argv,
      env,
      out: { isTTY, columns: 100, write: (text) => ((out += text), onAnswer(text), true) },
      err: { isTTY, columns: 100, write: (text) => ((err += text), onNote(text), true) },
      writeBytes:
        writeBytes ??
        ((bytes, taken) => {
          out += Buffer.from(bytes).toString('latin1');
          taken();
        }),
      signal,
      version: '1.2.3',
      ...(localEnvFile === undefined ? {} : { localEnvFile }),
    },
    verbs,
  );
  return {
    code,
    out,
    err,
    json: () =>
      out
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as unknown),
  };
}

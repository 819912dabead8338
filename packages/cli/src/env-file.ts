import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import type { Environment } from '@outbound/service-kit';
import { cliPrefix, foreignPrefixes } from './cli-prefix.ts';
import { CliError, exitCodes } from './exit-codes.ts';

/**
 * The `OUTBOUND_*` lines of a file in the form of Node's own `--env-file`: `NAME=value`, quotes and comments as there.
 * Lines of other
 * programs are left out, so that one file may serve several.
 * @throws CliError ENV_FILE_UNREADABLE
 */
export function readEnvFile(path: string): Environment {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new CliError(
      'ENV_FILE_UNREADABLE',
      `the file ${path} cannot be read (${reason}): name a file of ${cliPrefix}NAME=value lines with --env-file`,
      { exitCode: exitCodes.usage, cause },
    );
  }
  return Object.fromEntries(Object.entries(parseEnv(text)).filter(([name]) => isOurs(name)));
}

/** True if a setting of the command line is in the environment, under whatever name. */
export function hasSettings(env: Environment): boolean {
  return Object.keys(env).some((name) => isOurs(name) && env[name] !== '');
}

function isOurs(name: string): boolean {
  return name.startsWith(cliPrefix) && !foreignPrefixes.some((other) => name.startsWith(other));
}

/**
 * The environment laid over the file's lines. A value and its `_FILE` form are one setting: the environment's takes the
 * place of either.
 */
export function overFile(env: Environment, file: Environment): Environment {
  const merged: Record<string, string | undefined> = { ...file };
  for (const name of Object.keys(env)) {
    if (!isOurs(name) || env[name] === '') continue;
    delete merged[name.endsWith('_FILE') ? name.slice(0, -'_FILE'.length) : `${name}_FILE`];
  }
  return {
    ...merged,
    ...Object.fromEntries(Object.entries(env).filter(([, value]) => value !== '')),
  };
}

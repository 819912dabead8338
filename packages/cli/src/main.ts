#!/usr/bin/env node
import packageJson from '../package.json' with { type: 'json' };
import { runCli } from './run-cli.ts';
import { verbs } from './verbs.ts';

// `outbound tail | head`: whoever reads has gone, which is no error of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const)
  process.on(name, () => {
    // The second time it is meant: something does not end.
    if (stop.signal.aborted) process.exit(130);
    stop.abort();
  });

process.exitCode = await runCli(
  {
    argv: process.argv.slice(2),
    env: process.env,
    out: process.stdout,
    err: process.stderr,
    signal: stop.signal,
    version: packageJson.version,
  },
  verbs,
);

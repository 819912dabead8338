#!/usr/bin/env node
import { join } from 'node:path';
import packageJson from '../package.json' with { type: 'json' };
import { exitCodes } from './exit-codes.ts';
import { runCli } from './run-cli.ts';
import { verbs } from './verbs.ts';

const stop = new AbortController();

// `outbound tail | head`: whoever reads has gone, which is no error of ours. What runs may end in good order.
let hasReader = true;
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') {
    process.stderr.write(`outbound: OUTPUT_FAILED: standard output: ${error.message}\n`);
    process.exit(exitCodes.failed);
  }
  hasReader = false;
  stop.abort();
});
// `2>&1 | head`: notes to nobody.
process.stderr.on('error', () => undefined);

for (const name of ['SIGINT', 'SIGTERM'] as const)
  process.on(name, () => {
    // The second time it is meant: something does not end.
    if (stop.signal.aborted) process.exit(exitCodes.interrupted);
    stop.abort();
  });

const dataDirectory = process.env['OUTBOUND_DATA_DIR'];
const exitCode = await runCli(
  {
    argv: process.argv.slice(2),
    env: process.env,
    out: process.stdout,
    err: process.stderr,
    writeBytes: (bytes, taken) => {
      process.stdout.write(bytes, taken);
    },
    signal: stop.signal,
    version: packageJson.version,
    localEnvFile: join(
      dataDirectory === undefined || dataDirectory === '' ? '.data' : dataDirectory,
      'outbound.env',
    ),
  },
  verbs,
);
process.exitCode = !hasReader && exitCode === exitCodes.interrupted ? exitCodes.done : exitCode;
// A connection that a library left open must not hold the shell's prompt.
setTimeout(() => process.exit(), 3000).unref();

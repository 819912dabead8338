import { PipelineError } from './errors.ts';

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'somebody else has this port',
  EACCES: 'this user may not have this port (below 1024 it takes a right)',
  EADDRNOTAVAIL: 'the address is none of this machine',
  ENOTFOUND: 'the name of the host is not known here',
};

/**
 * What a failed `listen` means: the settings name a place that cannot be had.
 * @param settings the names of host and port as an operator knows them, such as `RELAY_ADMIN_HOST and RELAY_ADMIN_PORT`.
 * @returns a PipelineError CONFIG_INVALID with one sentence; what is not of `listen` is given back as it is.
 */
export function listenFault(
  thrown: unknown,
  { host, port, settings }: { host: string; port: number; settings: string },
): unknown {
  if (!(thrown instanceof Error)) return thrown;
  const { code, syscall } = thrown as { code?: unknown; syscall?: unknown };
  if (typeof code !== 'string' || (syscall !== 'listen' && syscall !== 'getaddrinfo'))
    return thrown;
  return new PipelineError(
    'CONFIG_INVALID',
    `cannot listen at ${host}:${port}: ${reasons[code] ?? 'the system refuses it'} (${code}); stop who has it, or correct ${settings}`,
    { cause: thrown },
  );
}

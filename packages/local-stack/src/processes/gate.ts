/** What a gated command waits for on its standard input. Whatever follows it is the command's own. */
export const goAhead = 'go\n';

/**
 * The command behind a shell that first waits for our word and then becomes the command, same pid. Our word is given once a guardian knows that pid, and if we die
 * before, the shell reads the end of file and ends: so there is no moment in which our death leaves the command behind.
 */
export function gated(command: readonly string[]): [string, ...string[]] {
  return ['/bin/sh', '-c', 'read -r go && exec "$@"', 'sh', ...command];
}

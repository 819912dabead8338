const lowest = { major: 20, minor: 19 } as const;

/**
 * What is wrong with this version of Node, as one sentence with the remedy; undefined if nothing is. What Postgres and Kafka need,
 * `startStack` says in the same way before it starts either of them.
 * @param version as in `process.versions.node`: `20.20.2`.
 */
export function nodeProblem(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > lowest.major || (major === lowest.major && minor >= lowest.minor)) return undefined;
  return `Node ${version} is too old: install Node ${lowest.major}.${lowest.minor} or later (https://nodejs.org)`;
}

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** A Java runtime. `description` is what `java -version` says, which tells builds apart. */
export interface Java {
  readonly command: string;
  readonly major: number;
  readonly description: string;
}

/** The Java of JAVA_HOME, else of PATH; undefined where there is none. */
export async function findJava(env: NodeJS.ProcessEnv = process.env): Promise<Java | undefined> {
  const home = env['JAVA_HOME'];
  const commands = [...(home ? [join(home, 'bin', 'java')] : []), 'java'];
  for (const command of commands) {
    // It writes its version to standard error.
    const answer = await promisify(execFile)(command, ['-version'], { env }).catch(() => undefined);
    const major = answer && javaMajor(answer.stderr);
    if (answer && major) return { command, major, description: answer.stderr };
  }
  return undefined;
}

/** Major version out of what `java -version` prints: 17 of `"17.0.15"`, 8 of `"1.8.0_392"`. */
export function javaMajor(text: string): number | undefined {
  const [, first, second] = /version "(\d+)(?:\.(\d+))?/.exec(text) ?? [];
  if (first === undefined) return undefined;
  return first === '1' && second !== undefined ? Number(second) : Number(first);
}

/** Whether Maven is there. */
export async function hasMaven(): Promise<boolean> {
  return promisify(execFile)('mvn', ['--version']).then(
    () => true,
    () => false,
  );
}

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cached } from '@outbound/local-stack';

const run = promisify(execFile);
/** Version of the client on PyPI; it brings its own librdkafka. */
const requirement = 'confluent-kafka==2.16.1';

/**
 * A Python with confluent-kafka, made once per machine and Python.
 * @throws Error with the remedy where Python cannot make virtual environments or the client cannot be fetched.
 */
export async function pythonWithKafka(): Promise<string> {
  const identity = 'import ensurepip, sys, venv; print(sys.version, sys.base_prefix)';
  const { stdout } = await run('python3', ['-c', identity]).catch((error: unknown) => {
    throw new Error(
      'Python 3 with its module venv is not installed: apt-get install python3-venv',
      { cause: error },
    );
  });
  const id = createHash('sha256').update(stdout).digest('hex').slice(0, 8);
  const folder = await cached(`python-${requirement.replace('==', '-')}-${id}`, async (draft) => {
    // The folder is renamed when it is complete: `bin/python` finds itself anew, `bin/pip` would not.
    await run('python3', ['-m', 'venv', draft]);
    // Wheels only: a build from source would need librdkafka's headers.
    const install = ['install', '--quiet', '--no-cache-dir', '--only-binary', ':all:'];
    await run(join(draft, 'bin', 'python'), ['-m', 'pip', ...install, requirement]).catch(
      (error: unknown) => {
        throw new Error(`pip could not fetch ${requirement}: check the network and pip's index`, {
          cause: error,
        });
      },
    );
  });
  return join(folder, 'bin', 'python');
}

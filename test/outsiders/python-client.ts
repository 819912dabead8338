import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cached } from '@outbound/local-stack';

const run = promisify(execFile);

/** A Python with confluent-kafka, which brings its own librdkafka. @throws as `pythonWith` */
export const pythonWithKafka = (): Promise<string> => pythonWith('confluent-kafka==2.16.1');

/** A Python with Schemathesis, which makes requests from an OpenAPI document and judges the answers by it. @throws as `pythonWith` */
export const pythonWithSchemathesis = (): Promise<string> => pythonWith('schemathesis==4.32.5');

/** A Python with the validator jsonschema and what it needs for the format `date-time`. @throws as `pythonWith` */
export const pythonWithJsonSchema = (): Promise<string> =>
  pythonWith('jsonschema==4.25.1', 'rfc3339-validator==0.1.4');

/**
 * A Python with these packages of PyPI, made once per machine and Python.
 * @throws Error with the remedy where Python cannot make virtual environments or a package cannot be fetched.
 */
async function pythonWith(...requirements: readonly string[]): Promise<string> {
  const identity = 'import ensurepip, sys, venv; print(sys.version, sys.base_prefix)';
  const { stdout } = await run('python3', ['-c', identity]).catch((error: unknown) => {
    throw new Error(
      'Python 3 with its module venv is not installed: apt-get install python3-venv',
      { cause: error },
    );
  });
  const id = createHash('sha256').update(stdout).digest('hex').slice(0, 8);
  const name = requirements.join('-').replaceAll('==', '-');
  const folder = await cached(`python-${name}-${id}`, async (draft) => {
    // The folder is renamed when it is complete: `bin/python` finds itself anew, `bin/pip` would not.
    await run('python3', ['-m', 'venv', draft]);
    // Wheels only: a build from source would need a compiler, and librdkafka's headers.
    const install = ['install', '--quiet', '--no-cache-dir', '--only-binary', ':all:'];
    await run(join(draft, 'bin', 'python'), ['-m', 'pip', ...install, ...requirements]).catch(
      (error: unknown) => {
        throw new Error(
          `pip could not fetch ${requirements.join(', ')}: check the network and pip's index`,
          { cause: error },
        );
      },
    );
  });
  return join(folder, 'bin', 'python');
}

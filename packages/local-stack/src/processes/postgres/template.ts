import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFile, chown, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { StackError } from '../../errors.ts';
import { superuser } from '../../postgres-client.ts';
import { cached } from '../cache.ts';
import { demotion, type RunAs } from '../run-as.ts';
import type { PostgresBinaries } from './binaries.ts';
import { newSystemIdentifier, withSystemIdentifier } from './system-identifier.ts';

const run = promisify(execFile);

/** Our settings, included from `postgresql.conf` and written anew at each start. */
export const settingsFileName = 'outbound.conf';

const locale: Readonly<Record<15 | 18, readonly string[]>> = {
  15: ['--locale=C.UTF-8'],
  // Code point order on every system, with no locale of the system needed.
  18: ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'],
};

/** A fresh data folder at `dataDir`: a copy of a cached one (initdb takes half a second, the copy a tenth), with an identity of its own. */
export async function createDataDir(
  dataDir: string,
  major: 15 | 18,
  binaries: PostgresBinaries,
  owner: RunAs | undefined,
): Promise<void> {
  const template = await cachedTemplate(major, binaries, owner);
  const copy = process.platform === 'linux' ? ['-a', '--reflink=auto'] : ['-Rp'];
  await run('cp', [...copy, `${template}/.`, dataDir]);
  await giveIdentity(dataDir);
  if (owner) await run('chown', ['-R', `${owner.uid}:${owner.gid}`, dataDir]);
  await run('chmod', ['700', dataDir]);
}

async function cachedTemplate(
  major: 15 | 18,
  binaries: PostgresBinaries,
  owner: RunAs | undefined,
): Promise<string> {
  const arguments_ = [
    '--username',
    superuser.name,
    '--encoding=UTF8',
    ...locale[major],
    '--auth=scram-sha-256',
    '--no-instructions',
  ];
  const made = createHash('sha256')
    .update(JSON.stringify([binaries.version, process.arch, arguments_, superuser, 1]))
    .digest('hex')
    .slice(0, 12);
  return cached(`postgres-${major}-${made}`, async (draft, guardian) => {
    // Beside the cache, which the lent account may not be able to enter.
    const work = await guardian.temporaryFolder('outbound-initdb-');
    try {
      const password = join(work, 'password');
      await writeFile(password, superuser.password);
      if (owner) for (const path of [work, password]) await chown(path, owner.uid, owner.gid);
      const { prefix, ids } = await demotion(owner, [binaries.initdb, password]);
      const [program = '', ...rest] = [
        ...prefix,
        binaries.initdb,
        '--pgdata',
        join(work, 'data'),
        '--pwfile',
        password,
        ...arguments_,
      ];
      await run(program, rest, { ...ids, cwd: work, env: { ...process.env, LC_ALL: 'C' } });
      await appendFile(join(work, 'data', 'postgresql.conf'), `include '${settingsFileName}'\n`);
      await run('cp', ['-Rp', `${join(work, 'data')}/.`, draft]);
    } catch (error) {
      throw new StackError(`initdb of Postgres ${major} failed: ${textOf(error)}`, {
        cause: error,
      });
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  });
}

/** Copies share initdb's system identifier, and then two servers would pass for one and the same log. */
async function giveIdentity(dataDir: string): Promise<void> {
  const id = newSystemIdentifier();
  const control = join(dataDir, 'global', 'pg_control');
  const before = await readFile(control);
  const { bytes, replaced } = withSystemIdentifier(before, id);
  await writeFile(control, bytes);
  const walDir = join(dataDir, 'pg_wal');
  for (const name of (await readdir(walDir)).filter((file) => /^[0-9A-F]{24}$/.test(file))) {
    const segment = await readFile(join(walDir, name));
    // XLogLongPageHeaderData.xlp_sysid, on the first page of every segment.
    if (segment.readBigUInt64LE(24) !== replaced)
      throw new StackError(
        `${join(walDir, name)} does not carry the system identifier of its server`,
      );
    segment.writeBigUInt64LE(id, 24);
    await writeFile(join(walDir, name), segment);
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

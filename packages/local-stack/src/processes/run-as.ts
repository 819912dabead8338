import { execFile } from 'node:child_process';
import { realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { StackError } from '../errors.ts';

const run = promisify(execFile);

/** Whom a server runs as, where that is not us. */
export interface RunAs {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Postgres refuses to run as root, so root lends it an account that every system has: `postgres` where it is installed, else `nobody`.
 * @returns undefined where we are not root: then Postgres runs as we do.
 */
export async function unprivilegedAccount(): Promise<RunAs | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ['postgres', 'nobody']) {
    const ids = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])]).catch(
      () => undefined,
    );
    if (!ids) continue;
    const [uid, gid] = ids.map(({ stdout }) => Number(stdout.trim()));
    if (uid !== undefined && gid !== undefined && uid > 0) return { name, uid, gid };
  }
  throw new StackError(
    'Postgres refuses to run as root and there is neither a user postgres nor nobody: run as a normal user, or add one (useradd --system postgres)',
  );
}

/** What must stand before a command so that it runs as `account`, and the ids for spawn where nothing must. */
export interface Demotion {
  readonly prefix: readonly string[];
  readonly ids: { readonly uid: number; readonly gid: number } | Record<string, never>;
}

/**
 * How to run a command as `account` with these paths in reach. A checkout or a data folder under /root is closed to every other user;
 * there the command keeps one right of root, to pass by the permissions of files, for which setpriv is needed.
 */
export async function demotion(
  account: RunAs | undefined,
  paths: readonly string[],
): Promise<Demotion> {
  if (!account) return { prefix: [], ids: {} };
  const { uid, gid, name } = account;
  const closed = (await Promise.all(paths.map(async (path) => closedFolder(path, account)))).find(
    (folder) => folder !== undefined,
  );
  if (closed === undefined) return { prefix: [], ids: { uid, gid } };
  const setpriv = await run('setpriv', ['--version']).catch(() => undefined);
  if (!setpriv)
    throw new StackError(
      `the user ${name} cannot enter ${closed}, and root cannot run Postgres: run as a normal user, or move the checkout out of ${closed}`,
    );
  const rights = ['--inh-caps', '+dac_override', '--ambient-caps', '+dac_override'];
  return {
    prefix: ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', ...rights, '--'],
    ids: {},
  };
}

async function closedFolder(path: string, account: RunAs): Promise<string | undefined> {
  let folder = dirname(await realpath(path));
  for (;;) {
    const { mode, uid, gid } = await stat(folder);
    const enter = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001;
    if ((mode & enter) === 0) return folder;
    const parent = dirname(folder);
    if (parent === folder) return undefined;
    folder = parent;
  }
}

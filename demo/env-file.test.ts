import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { expect, test } from 'vitest';
import { writeEnvFile } from './env-file.ts';

test('the file for the command line is for its owner alone, and gone afterwards', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'outbound-env-'));
  try {
    const path = join(dataDir, 'outbound.env');
    await writeFile(path, 'left by a run that was killed', { mode: 0o644 });
    const remove = await writeEnvFile(dataDir, {
      apiUrl: 'http://127.0.0.1:1',
      apiToken: 'a.b.c',
      issuerDirectory: '/data/issuer',
      apiAdminUrl: 'http://127.0.0.1:2',
      relayAdminUrl: 'http://127.0.0.1:3',
      databaseUrl: 'postgres://superuser:secret@127.0.0.1:4/catalog',
      operatorUrl: 'postgres://outbound_operator:p@127.0.0.1:4/catalog',
      brokers: ['127.0.0.1:5', '127.0.0.1:6'],
      slot: 'outbound',
      logs: 'logs',
    });
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(parseEnv(await readFile(path, 'utf8'))).toEqual({
      OUTBOUND_DATABASE_URL: 'postgres://outbound_operator:p@127.0.0.1:4/catalog',
      OUTBOUND_KAFKA_BROKERS: '127.0.0.1:5,127.0.0.1:6',
      OUTBOUND_API_URL: 'http://127.0.0.1:1',
      OUTBOUND_API_TOKEN: 'a.b.c',
      OUTBOUND_ISSUER_DIRECTORY: '/data/issuer',
      OUTBOUND_RELAY_ADMIN_URL: 'http://127.0.0.1:3',
      OUTBOUND_SLOT: 'outbound',
    });
    await remove();
    await expect(stat(path)).rejects.toThrow('ENOENT');
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
});

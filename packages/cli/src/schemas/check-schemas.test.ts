import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { runCli } from '../run-cli.ts';
import { verbs } from '../verbs.ts';

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

async function emptyFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'outbound-released-'));
  folders.push(folder);
  return folder;
}

async function outbound(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const said = { out: '', err: '' };
  const stream = (name: 'out' | 'err') => ({
    write: (text: string) => {
      said[name] += text;
      return true;
    },
  });
  const code = await runCli(
    {
      argv,
      env: {},
      out: stream('out'),
      err: stream('err'),
      signal: new AbortController().signal,
      version: '0',
    },
    verbs,
  );
  return { code, ...said };
}

describe('outbound schemas', () => {
  it('releases what is declared, once, and finds it in order then', async () => {
    const released = await emptyFolder();
    const before = await outbound('schemas', 'check', '--released', released);
    expect(before.code).toBe(3);
    expect(before.out).toContain('is not released: run `outbound schemas release`');
    const release = await outbound('--json', 'schemas', 'release', '--released', released);
    expect(release.code).toBe(0);
    expect((JSON.parse(release.out) as { written: string[] }).written).toContain(
      join(released, 'catalog.product-change/1.1.0.json'),
    );
    expect((await outbound('schemas', 'check', '--released', released)).code).toBe(0);
    const again = await outbound('--json', 'schemas', 'release', '--released', released);
    expect(JSON.parse(again.out)).toEqual({ written: [] });
  });

  it('refuses a schema that is not the released one: names the field, and leaves the release alone', async () => {
    const released = await emptyFolder();
    await outbound('schemas', 'release', '--released', released);
    const path = join(released, 'catalog.product-change/1.1.0.json');
    const text = (await readFile(path, 'utf8')).replace('"sku": {', '"stock_unit": {');
    await writeFile(path, text);
    const check = await outbound('--json', 'schemas', 'check', '--released', released);
    expect(check.code).toBe(3);
    const [verdict] = JSON.parse(check.out) as { level: string; problems: string[] }[];
    expect(verdict?.level).toBe('MAJOR');
    expect(verdict?.problems.join()).toContain('data.stock_unit: optional field removed');
    expect(verdict?.problems.join()).toContain('catalog.product-change.v2');
    const release = await outbound('schemas', 'release', '--released', released);
    expect(release.code).toBe(3);
    expect(release.err).toContain('nothing was written');
    expect(await readFile(path, 'utf8')).toBe(text);
  });

  it('says which file is no release', async () => {
    const released = await emptyFolder();
    await writeFile(join(released, 'odd.json'), '{}');
    const check = await outbound('schemas', 'check', '--released', released);
    expect(check.code).toBe(2);
    expect(check.err).toContain('odd.json is no released schema');
    expect((await outbound('schemas', 'check', '--released', '/nowhere')).code).toBe(2);
  });
});

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadEventTypes } from './event-types-module.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'event-types-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function load(name: string, text: string) {
  const path = join(folder, `${name}.mjs`);
  await writeFile(path, text);
  return loadEventTypes(path);
}
const order = `{ name: 'shop.order-change', owner: 'shop', dataType: 'shop.order', version: '1.0.0', routes: [{
  topic: 'shop.order-change', partitions: 1, cleanupPolicy: 'delete', retentionMs: 1, forms: { C: 'value', U: 'value', D: 'value', S: 'skip' } }] }`;

it('takes a list or a Map of whole declarations', async () => {
  const list = await load('list', `export const eventTypes = [${order}]`);
  const map = await load('map', `export const eventTypes = new Map([['x', ${order}]])`);
  expect([...list.keys()]).toEqual(['shop.order-change']);
  expect([...map.keys()]).toEqual(['shop.order-change']);
});

it.each([
  ['nothing', 'export const other = 1', 'must export eventTypes'],
  ['an empty list', 'export const eventTypes = []', 'non-empty'],
  ['one twice', `export const eventTypes = [${order}, ${order}]`, 'is declared twice'],
  ['a defect', 'throw new Error("x")', 'cannot be loaded'],
])('refuses a module with %s, naming it', async (name, text, words) => {
  const loading = load(name.replaceAll(' ', '-'), text);
  await expect(loading).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  await expect(loading).rejects.toThrow(words);
  await expect(loading).rejects.toThrow('.mjs');
});

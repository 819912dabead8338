import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { replaceFile } from './replace-file.ts';

test('whoever has opened a file before it is replaced reads all of the old one', () => {
  const folder = mkdtempSync(join(tmpdir(), 'outbound-replace-'));
  const path = join(folder, 'main.js');
  writeFileSync(path, 'old');
  const reader = openSync(path, 'r');
  try {
    replaceFile(path, Buffer.from('another'));
    expect(readFileSync(reader, 'utf8')).toBe('old');
    expect(readFileSync(path, 'utf8')).toBe('another');
    expect(readdirSync(folder)).toEqual(['main.js']);
  } finally {
    closeSync(reader);
    rmSync(folder, { recursive: true });
  }
});

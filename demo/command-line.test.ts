import { expect, test } from 'vitest';
import { dataDirectory } from './data-directory.ts';
import { parseFlags } from './flags.ts';
import { nodeProblem } from './prerequisites.ts';

test('flags are off unless they are given', () => {
  expect(parseFlags([])).toEqual({ once: false, all: false, help: false });
  expect(parseFlags(['--once', '--all'])).toEqual({ once: true, all: true, help: false });
  expect(parseFlags(['-h'])).toMatchObject({ help: true });
});

test.each(['--onec', 'once', '--once=yes'])('%s is refused by its name', (argument) => {
  expect(() => parseFlags([argument])).toThrow(/--onec|once/);
});

test.each(['20.19.0', '20.20.2', '22.0.0', '24.1.0'])('Node %s will do', (version) => {
  expect(nodeProblem(version)).toBeUndefined();
});

test.each(['18.20.4', '20.18.3', '20.9.0'])('Node %s is refused with the remedy', (version) => {
  expect(nodeProblem(version)).toBe(
    `Node ${version} is too old: install Node 20.19 or later (https://nodejs.org)`,
  );
});

test('data is kept in the repository unless another place is named', () => {
  expect(dataDirectory(undefined)).toMatch(/\/\.data$/);
  expect(dataDirectory('')).toMatch(/\/\.data$/);
  expect(dataDirectory('/tmp/elsewhere')).toBe('/tmp/elsewhere');
});

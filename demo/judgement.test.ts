import { describe, expect, test } from 'vitest';
import { isProven, Judgement, proofLine, type CatalogRow, type Verdict } from './judgement.ts';

interface World {
  rows: CatalogRow[];
  changes: [key: string, version: number][];
  state: [key: string, version: number | undefined, hash?: string][];
}

/** Three entities: one changed twice, one new, one deleted. */
function soundWorld(): World {
  return {
    rows: [
      { key: 'a', version: 3, isDeleted: false, dataHash: 'a3' },
      { key: 'b', version: 1, isDeleted: false, dataHash: 'b1' },
      { key: 'c', version: 2, isDeleted: true, dataHash: 'c2' },
    ],
    changes: [
      ['a', 1],
      ['b', 1],
      ['a', 2],
      ['c', 1],
      ['a', 3],
      ['c', 2],
    ],
    state: [
      ['a', 1],
      ['b', 1],
      ['a', 2],
      ['c', 1],
      ['a', 3],
      ['c', undefined],
    ],
  };
}

function judge({ rows, changes, state }: World, isWhole = true): Verdict {
  const judgement = new Judgement();
  for (const [key, version] of changes) judgement.addChange({ key, version, dataHash: undefined });
  for (const [key, version, dataHash = `${key}${version ?? ''}`] of state)
    judgement.addState({ key, version, dataHash: version === undefined ? undefined : dataHash });
  judgement.endOfTopics({ isWhole });
  for (const row of rows) judgement.addRow(row);
  return judgement.verdict();
}

test('topics that hold what was committed are the proof', () => {
  const verdict = judge(soundWorld());
  expect(verdict.findings).toEqual([]);
  expect(isProven(verdict)).toBe(true);
  expect(proofLine(verdict)).toBe(
    'proof: 2 live rows of 3 = 2 keys; 6 versions = 6 on the change topic; ' +
      'missing 0, stale 0, ghosts 0, out of order 0, altered 0, duplicates 0',
  );
});

test('the line counts rows when none is deleted', () => {
  const world = soundWorld();
  world.rows[2] = { key: 'c', version: 2, isDeleted: false, dataHash: 'c2' };
  world.state[5] = ['c', 2];
  expect(proofLine(judge(world))).toMatch(/^proof: 3 rows = 3 keys; /);
});

test('duplicates are counted and allowed', () => {
  const world = soundWorld();
  world.changes.push(['a', 2], ['a', 3]);
  const verdict = judge(world);
  expect(verdict).toMatchObject({ duplicateCount: 2, outOfOrderCount: 0 });
  expect(isProven(verdict)).toBe(true);
});

test('a tombstone that compaction removed is not missed', () => {
  const world = soundWorld();
  world.state = world.state.filter(([key]) => key !== 'c');
  expect(isProven(judge(world))).toBe(true);
});

test('what retention removed from the change topic is not missed', () => {
  const world = soundWorld();
  world.changes = world.changes.slice(2);
  expect(isProven(judge(world, false))).toBe(true);
  expect(judge(world).missingCount).toBe(2);
});

describe('planted damage is found', () => {
  const damages: [name: string, plant: (world: World) => void, found: Partial<Verdict>][] = [
    ['a lost last change', ({ changes }) => void changes.splice(4, 1), { missingCount: 1 }],
    ['a lost change in between', ({ changes }) => void changes.splice(2, 1), { missingCount: 1 }],
    ['a lost first change', ({ changes }) => void changes.splice(0, 1), { missingCount: 1 }],
    [
      'a key that never came',
      (world) => void (world.state = world.state.filter(([key]) => key !== 'b')),
      { missingCount: 1 },
    ],
    [
      'a live row under a tombstone',
      ({ state }) => void state.push(['b', undefined]),
      { missingCount: 1 },
    ],
    ['a stale last record', ({ state }) => void state.push(['a', 2]), { staleCount: 1 }],
    ['a deleted row that lives on', ({ state }) => void state.pop(), { staleCount: 1 }],
    ['a key without a row', ({ state }) => void state.push(['x', 1]), { ghostCount: 1 }],
    ['a change without a row', ({ changes }) => void changes.push(['x', 1]), { ghostCount: 1 }],
    [
      'a version that was never committed',
      ({ changes }) => void changes.push(['a', 4]),
      { ghostCount: 1 },
    ],
    [
      'a last record that was never committed',
      ({ state }) => void state.push(['a', 4]),
      { ghostCount: 1 },
    ],
    [
      'reordered changes',
      ({ changes }) => void changes.splice(0, 5, ['b', 1], ['a', 2], ['a', 1], ['c', 1], ['a', 3]),
      { outOfOrderCount: 1 },
    ],
    ['altered content', ({ state }) => void (state[4] = ['a', 3, 'garbled']), { alteredCount: 1 }],
  ];
  const none = {
    missingCount: 0,
    staleCount: 0,
    ghostCount: 0,
    outOfOrderCount: 0,
    alteredCount: 0,
  };

  test.each(damages)('%s', (_name, plant, found) => {
    const world = soundWorld();
    plant(world);
    const verdict = judge(world);
    expect(verdict).toMatchObject({ ...none, ...found });
    expect(verdict.findings).toHaveLength(1);
    expect(isProven(verdict)).toBe(false);
  });

  test('a tombstone on the change topic', () => {
    const judgement = new Judgement();
    judgement.addChange({ key: 'a', version: undefined, dataHash: undefined });
    expect(isProven(judgement.verdict())).toBe(false);
  });

  test('only the first findings are told, all are counted', () => {
    const world = soundWorld();
    for (let key = 0; key < 50; key++) world.state.push([`ghost-${key}`, 1]);
    const { ghostCount, findings } = judge(world);
    expect(ghostCount).toBe(50);
    expect(findings).toHaveLength(10);
  });
});

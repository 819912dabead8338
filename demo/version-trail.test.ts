import { expect, test } from 'vitest';
import { VersionTrail } from './version-trail.ts';

function trailOf(...versions: number[]): VersionTrail {
  const trail = new VersionTrail();
  for (const version of versions) trail.add(version);
  return trail;
}
const whole = { isWhole: true };

test('versions that follow each other are complete and in order', () => {
  const trail = trailOf(1, 2, 3);
  expect(trail).toMatchObject({
    highest: 3,
    versionCount: 3,
    duplicateCount: 0,
    outOfOrderCount: 0,
  });
  expect(trail.missingCount(3, whole)).toBe(0);
});

test('a version that was there before is a duplicate and not out of order', () => {
  expect(trailOf(1, 2, 1, 2, 3)).toMatchObject({
    duplicateCount: 2,
    outOfOrderCount: 0,
    versionCount: 3,
  });
});

test('a snapshot restates a version and is no duplicate, but an old one that is new here is out of order all the same', () => {
  const trail = trailOf(1, 2, 4);
  trail.add(2, { isSnapshot: true });
  expect(trail).toMatchObject({ duplicateCount: 0, outOfOrderCount: 0, versionCount: 3 });
  trail.add(3, { isSnapshot: true });
  expect(trail).toMatchObject({ outOfOrderCount: 1, versionCount: 4 });
});

test('a lower version that was not there before is out of order', () => {
  const trail = trailOf(1, 3, 2, 4);
  expect(trail).toMatchObject({ outOfOrderCount: 1, duplicateCount: 0, versionCount: 4 });
  expect(trail.missingCount(4, whole)).toBe(0);
});

test('a version below all others is out of order too, and does not hide the gap between', () => {
  const trail = trailOf(5, 2);
  expect(trail.outOfOrderCount).toBe(1);
  expect(trail.missingCount(5, whole)).toBe(3);
});

test('versions that never came are missing: before, between and after', () => {
  expect(trailOf(2, 3, 6).missingCount(8, whole)).toBe(1 + 2 + 2);
});

test('what retention removed is not missing', () => {
  expect(trailOf(4, 5).missingCount(5, { isWhole: false })).toBe(0);
  expect(trailOf().missingCount(5, { isWhole: false })).toBe(0);
  expect(trailOf().missingCount(5, whole)).toBe(5);
});

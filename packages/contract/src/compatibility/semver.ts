import type { Level } from './change.ts';

/** Major, minor and patch of `1.2.3`. @throws Error if it is no semantic version without a pre-release (Zalando rule 116). */
export function parseVersion(text: string): readonly [number, number, number] {
  const [, major, minor, patch] = /^(\d+)\.(\d+)\.(\d+)$/.exec(text) ?? [];
  if (major === undefined || minor === undefined || patch === undefined)
    throw new Error(`${text} is no semantic version: write MAJOR.MINOR.PATCH`);
  return [Number(major), Number(minor), Number(patch)];
}

/** Below 0, 0 or above 0, as the first comes before, with or after the second. */
export function compareVersions(a: string, b: string): number {
  const [first, second] = [parseVersion(a), parseVersion(b)];
  const at = first.findIndex((part, index) => part !== second[index]);
  return at === -1 ? 0 : (first[at] ?? 0) - (second[at] ?? 0);
}

/** The lowest version that says a change of this level. */
export function bumped(version: string, level: Level): string {
  const [major, minor, patch] = parseVersion(version);
  if (level === 'MAJOR') return `${major + 1}.0.0`;
  return level === 'MINOR' ? `${major}.${minor + 1}.0` : `${major}.${minor}.${patch + 1}`;
}

/** Major version of the contract, by the event type's name: 2 of `shop.order-change.v2`, 1 where it says none. Source: Zalando rule 213. */
export function majorOfName(name: string): number {
  return Number(/\.v(\d+)$/.exec(name)?.[1] ?? 1);
}

/** The name that a breaking change needs. */
export function nextMajorName(name: string): string {
  return `${name.replace(/\.v\d+$/, '')}.v${majorOfName(name) + 1}`;
}

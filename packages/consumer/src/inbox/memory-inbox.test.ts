import { describe, expect, it } from 'vitest';
import { createMemoryInbox } from './memory-inbox.ts';

const event = (key: string, version: number | undefined, eid = `${key}-${version}`) => ({
  dataType: 'test.note',
  key,
  version,
  eid,
});

describe('createMemoryInbox', () => {
  it('makes the effect of a version once, and none of an older one', async () => {
    const inbox = createMemoryInbox();
    const effects: (number | undefined)[] = [];
    for (const version of [1, 1, 3, 2, 3, 4])
      await inbox.apply(event('a', version), () => void effects.push(version));
    expect(effects).toEqual([1, 3, 4]);
  });

  it('goes by the event id where there is no version', async () => {
    const inbox = createMemoryInbox();
    expect(await inbox.apply(event('a', undefined, 'e1'), () => undefined)).toBe('applied');
    expect(await inbox.apply(event('a', undefined, 'e1'), () => undefined)).toBe('seen');
    expect(await inbox.apply(event('a', undefined, 'e2'), () => undefined)).toBe('applied');
  });

  it('does not count an event as seen whose effect failed', async () => {
    const inbox = createMemoryInbox();
    await expect(inbox.apply(event('a', 1), () => Promise.reject(new Error('no')))).rejects.toThrow(
      'no',
    );
    expect(await inbox.apply(event('a', 1), () => undefined)).toBe('applied');
  });

  it('keeps entities of different kinds apart that have one key, and events that have one id', async () => {
    const inbox = createMemoryInbox();
    const kinds = ['order', 'invoice', 'orderi'].map((dataType) => ({
      dataType,
      key: '1',
      eid: 'e',
    }));
    for (const version of [2, undefined])
      for (const kind of kinds)
        expect(await inbox.apply({ ...kind, version }, () => undefined)).toBe('applied');
    for (const version of [1, 2, undefined])
      for (const kind of kinds)
        expect(await inbox.apply({ ...kind, version }, () => undefined)).toBe('seen');
  });

  it('forgets what was renewed longest ago beyond its bounds', async () => {
    const inbox = createMemoryInbox({ maxKeys: 2, maxEventIds: 1 });
    for (const [key, version] of [
      ['a', 1],
      ['b', 1],
      ['a', 2],
      ['c', 1],
    ] as const)
      await inbox.apply(event(key, version), () => undefined);
    for (const eid of ['e1', 'e2']) await inbox.apply(event('a', undefined, eid), () => undefined);
    expect(inbox.size).toEqual({ keys: 2, eventIds: 1 });
    expect(await inbox.apply(event('a', 2), () => undefined)).toBe('seen');
    expect(await inbox.apply(event('b', 1), () => undefined)).toBe('applied');
  });
});

import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { changeRoute, defineEventType, type EventType } from '../event-type.ts';
import { judgeEventType } from './judge-event-type.ts';
import { releaseOf } from './released-schema.ts';

const routes = [changeRoute('bench.tick', { partitions: 1, retentionMs: 1 })];

function tick(shape: z.ZodRawShape, over: Partial<EventType> = {}): EventType {
  return defineEventType({
    name: 'bench.tick',
    category: 'data',
    owner: 'bench',
    audience: 'company-internal',
    version: '1.0.0',
    dataType: 'bench.tick',
    value: z.strictObject(shape),
    orderingKeyFields: [],
    orderingInstanceIds: [],
    compatibilityMode: 'compatible',
    routes,
    ...over,
  });
}

const first = tick({ id: z.string() });
const releases = [releaseOf(first)];
const withLabel = { id: z.string(), label: z.string().optional() };

describe('an event type beside its releases', () => {
  it('has no problem if nothing changed since its release', () => {
    expect(judgeEventType(first, releases)).toMatchObject({
      releasedVersion: '1.0.0',
      level: undefined,
      problems: [],
    });
  });

  it('has to be released', () => {
    expect(judgeEventType(first, []).problems).toEqual([
      'version 1.0.0 is not released: run `outbound schemas release`',
    ]);
    expect(judgeEventType(tick(withLabel, { version: '1.1.0' }), releases)).toMatchObject({
      level: 'MINOR',
      problems: ['version 1.1.0 is not released: run `outbound schemas release`'],
    });
  });

  it('has to say a change in its version, with the field named', () => {
    expect(judgeEventType(tick(withLabel), releases).problems).toEqual([
      'label: optional field added (string) (rule 209)',
      'these are MINOR changes since 1.0.0: say version 1.1.0 (rule 246)',
    ]);
    const described = tick({ id: z.string().describe('Which.') });
    expect(judgeEventType(described, releases).problems).toContain(
      'these are PATCH changes since 1.0.0: say version 1.0.1 (rule 246)',
    );
  });

  it('may not break, whatever its version says: a break needs a new name, and the message names field and reader', () => {
    const broken = tick({ id: z.int() }, { version: '1.1.0' });
    expect(judgeEventType(broken, releases).problems).toEqual([
      'id: type changed (string became integer), breaks old readers and new readers (rule 209)',
      'a breaking change needs a new event type beside this one: bench.tick.v2 with topics of its own (rule 246)',
    ]);
    const second = tick({ id: z.int() }, { name: 'bench.tick.v2', version: '2.0.0' });
    expect(judgeEventType(second, [...releases, releaseOf(second)]).problems).toEqual([]);
  });

  it('may break in mode none, if the version says so', () => {
    const none = { compatibilityMode: 'none' } as const;
    const released = [releaseOf(tick({ id: z.string() }, none))];
    const broken = tick({ id: z.int() }, { ...none, version: '1.1.0' });
    expect(judgeEventType(broken, released).problems).toContain(
      'these are MAJOR changes since 1.0.0: say version 2.0.0 (rule 246)',
    );
  });

  it('keeps the mode that it promised, or takes a stricter one', () => {
    const loose = tick({ id: z.string() }, { compatibilityMode: 'none', version: '1.0.1' });
    expect(judgeEventType(loose, releases).problems).toEqual([
      'the mode compatible was promised with 1.0.0 and cannot become none',
    ]);
    const strict = tick({ id: z.string() }, { version: '1.0.1' });
    expect(judgeEventType(strict, [releaseOf(loose)]).problems).toEqual([]);
  });

  it('says its major version in its name', () => {
    const odd = tick({ id: z.string() }, { name: 'bench.tick.v3', version: '2.0.0' });
    expect(judgeEventType(odd, [releaseOf(odd)]).problems).toEqual([
      'version 2.0.0 does not fit the name: bench.tick.v3 is major version 3 (rule 213)',
    ]);
  });

  it('takes the events of every release in mode compatible, not of the last alone', () => {
    const forward = { compatibilityMode: 'forward' } as const;
    const wide = tick({ id: z.enum(['A', 'B']) }, forward);
    const narrow = tick({ id: z.enum(['A']) }, { ...forward, version: '1.1.0' });
    expect(judgeEventType(narrow, [releaseOf(wide), releaseOf(narrow)]).problems).toEqual([]);
    const strict = tick({ id: z.enum(['A']) }, { version: '1.1.0' });
    expect(judgeEventType(strict, [releaseOf(wide), releaseOf(strict)]).problems).toEqual([
      'since 1.0.0: id: enum value removed ("B"), breaks new readers (rule 209)',
    ]);
  });

  it('uses no keyword that Zalando forbids, and no open door', () => {
    const literal = tick({ id: z.literal('x'), more: z.looseObject({ not: z.string() }) });
    expect(judgeEventType(literal, [releaseOf(literal)]).problems).toEqual([
      '/properties/id/const: the keyword const is not allowed in an event schema (rule 196)',
    ]);
    const open = tick({ id: z.unknown().meta({ additionalProperties: true }) });
    expect(judgeEventType(open, [releaseOf(open)]).problems).toEqual([
      '/properties/id/additionalProperties: define the fields that may come in an event schema (rule 210)',
    ]);
  });

  it('asks for no multiple that binary floats cannot decide; a release that did is corrected by a MINOR one', () => {
    const cents = tick({ price: z.unknown().meta({ type: 'number', multipleOf: 0.01 }) });
    const corrected = { price: z.unknown().meta({ type: 'number' }) };
    const isGood = tick({ price: z.unknown().meta({ type: 'number', multipleOf: 0.25 }) });
    expect(judgeEventType(cents, [releaseOf(cents)]).problems).toEqual([
      '/properties/price/multipleOf: binary floats do not decide multiples of 0.01, so say the digits in words in an event schema (rule 173)',
    ]);
    expect(judgeEventType(isGood, [releaseOf(isGood)]).problems).toEqual([]);
    const next = tick(corrected, { version: '1.1.0' });
    expect(judgeEventType(next, [releaseOf(cents), releaseOf(next)]).problems).toEqual([]);
    expect(judgeEventType(tick(corrected), [releaseOf(cents)]).problems).toContain(
      'these are MINOR changes since 1.0.0: say version 1.1.0 (rule 246)',
    );
  });
});

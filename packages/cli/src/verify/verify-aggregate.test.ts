import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../../test/support/random.ts';
import { differenceKinds, type DifferenceKind } from './entity-states.ts';
import { BusyWorld, partitionOf, partitions, valueOf } from './test-support/busy-world.ts';
import { verifyAggregate } from './verify-aggregate.ts';
import type { VerifyPorts } from './verify-ports.ts';

const uuid = (n: number) => `019376e4-8c3a-7c7e-a1b2-${n.toString(16).padStart(12, '0')}`;
const busy = [1, 2, 3, 4].map(uuid);
const comparison = {
  aggregate: 'thing',
  topic: 'things',
  partitions,
  maxIds: 100,
  maxRounds: 30,
};

/** A world with a past, in which the entities from 11 on are quiet. */
function startedWorld(seed: number): BusyWorld {
  const world = new BusyWorld(seededRandom(seed), busy);
  for (let n = 11; n <= 22; n += 1) {
    world.write(uuid(n), 'write');
    world.settle();
    if (n % 2 === 0) world.write(uuid(n), 'write');
    world.settle();
  }
  world.write(uuid(21), 'delete');
  world.settle();
  for (let n = 0; n < 5; n += 1) world.move();
  return world;
}

/** Every kind of damage, each to an entity of its own that nobody writes meanwhile. */
function damage(world: BusyWorld): Record<DifferenceKind, string[]> {
  const row = (n: number) => world.row(uuid(n)) ?? { version: 1, name: '', isDeleted: false };
  world.erase(uuid(11));
  world.append(uuid(12), null);
  world.append(uuid(14), valueOf(uuid(14), { ...row(14), version: 1 }));
  world.append(uuid(13), valueOf(uuid(13), { ...row(13), name: 'altered' }));
  world.append(uuid(15), valueOf(uuid(15), { ...row(15), version: 9 }));
  world.append(uuid(30), valueOf(uuid(30), row(30)));
  world.append('no uuid', '{"hello":1}');
  world.append('stranger', valueOf('stranger', row(31)));
  world.append(uuid(21), valueOf(uuid(21), { version: 1, name: 'back' }));
  world.append(uuid(16), '{"data":');
  const elsewhere = (partitionOf(uuid(17)) + 1) % partitions;
  world.append(uuid(17), valueOf(uuid(17), row(17)), elsewhere);
  return {
    missing: [uuid(11), uuid(12)],
    stale: [uuid(14)],
    altered: [uuid(13)],
    ahead: [uuid(15)],
    ghost: [uuid(30), 'stranger'],
    undeleted: [uuid(21)],
    unreadable: [uuid(16), 'no uuid'],
    misplaced: [`${elsewhere}/${uuid(17)}`],
  };
}

const none = Object.fromEntries(differenceKinds.map((kind) => [kind, [] as string[]]));

async function idsFound(world: BusyWorld, ports: VerifyPorts = world.ports()) {
  const { verdict } = await verifyAggregate(comparison, ports);
  return {
    verdict,
    found: Object.fromEntries(
      differenceKinds.map((kind) => [kind, [...verdict.findings[kind].ids].sort()]),
    ),
  };
}

const sorted = (expected: Record<string, string[]>) =>
  Object.fromEntries(Object.entries(expected).map(([kind, ids]) => [kind, ids.sort()]));
const anySeed = fc.integer({ min: 0, max: 2 ** 31 });

describe('verification while everything moves', () => {
  test('never calls damaged what is not', async () => {
    await fc.assert(
      fc.asyncProperty(anySeed, async (seed) => {
        const world = startedWorld(seed);
        const { verdict, found } = await idsFound(world);
        expect(found).toEqual(none);
        expect(verdict.state).toBe('clean');
        expect(world.steps).toBeGreaterThan(0);
      }),
      { numRuns: 600 },
    );
  });

  test('finds every planted damage, of its kind, and nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(anySeed, async (seed) => {
        const world = startedWorld(seed);
        const expected = damage(world);
        const { verdict, found } = await idsFound(world);
        expect(found).toEqual(sorted(expected));
        expect(verdict.state).toBe('differs');
      }),
      { numRuns: 300 },
    );
  });

  test('decides nothing that it cannot know while the relay stands still, and says so', async () => {
    await fc.assert(
      fc.asyncProperty(anySeed, async (seed) => {
        const world = startedWorld(seed);
        world.isRelayStopped = true;
        world.write(busy[0] ?? '', 'write');
        world.makeVisible(10_000);
        const { verdict, found } = await idsFound(world);
        expect(found).toEqual(none);
        if (verdict.candidates > 0)
          expect(verdict).toMatchObject({
            state: 'undecided',
            undecided: verdict.candidates,
            undecidedWhy: 'stopped',
            behindBytes: 1n,
          });
      }),
      { numRuns: 200 },
    );
  });

  test('a database that went back in time is seen: the records are ahead', async () => {
    const world = startedWorld(1);
    const quiet = world.row(uuid(12));
    world.setRow(uuid(12), { version: 1, isDeleted: false, name: quiet?.name ?? '' });
    world.setRow(uuid(11), undefined);
    const { found } = await idsFound(world);
    expect(found).toEqual({ ...none, ahead: [uuid(12)], ghost: [uuid(11)] });
  });

  test('names as many ids as asked for, and counts all', async () => {
    const world = new BusyWorld(seededRandom(1), []);
    const keys = Array.from({ length: 2_500 }, (_, n) => uuid(n));
    for (const key of keys) world.append(key, valueOf(key, { version: 1, name: '' }));
    const { verdict } = await verifyAggregate({ ...comparison, maxIds: 3 }, world.ports());
    expect(verdict.findings.ghost.count).toBe(2_500);
    expect(new Set(verdict.findings.ghost.ids).size).toBe(3);
    expect(keys).toEqual(expect.arrayContaining([...verdict.findings.ghost.ids]));
    expect(verdict).toMatchObject({ compared: 2_500, candidates: 2_500, rounds: 2, undecided: 0 });
  });
});

describe('a busy entity', () => {
  const [id = ''] = busy;
  /** A world in which the entity is written in each of the first rounds, and its record lags behind by one version. */
  function writtenInRounds(rounds: number) {
    const world = new BusyWorld(seededRandom(1), []);
    world.write(id, 'write');
    world.settle();
    world.write(id, 'write');
    world.makeVisible(1);
    const ports = world.ports();
    let round = 0;
    const passWatermark: VerifyPorts['passWatermark'] = async () => {
      const delivery = await ports.passWatermark();
      world.settle();
      round += 1;
      return delivery;
    };
    const readRows: VerifyPorts['readRows'] = (ids) => {
      if (round <= rounds) {
        world.write(id, 'write');
        world.showAll();
      }
      return ports.readRows(ids);
    };
    return { world, ports: { ...ports, passWatermark, readRows } };
  }

  test('is proved by the outbox, whose content its record has', async () => {
    const { ports } = writtenInRounds(Infinity);
    const { verdict } = await verifyAggregate({ ...comparison, maxRounds: 3 }, ports);
    expect(verdict).toMatchObject({ state: 'clean', candidates: 1, rounds: 1 });
  });

  test('is not called right if its record has another content than the outbox', async () => {
    const { world, ports } = writtenInRounds(Infinity);
    const passWatermark: VerifyPorts['passWatermark'] = async () => {
      const delivery = await ports.passWatermark();
      world.append(id, valueOf(id, { version: world.row(id)?.version ?? 0, name: 'altered' }));
      return delivery;
    };
    const { verdict } = await verifyAggregate(
      { ...comparison, maxRounds: 3 },
      { ...ports, passWatermark },
    );
    expect(verdict).toMatchObject({ state: 'undecided', undecided: 1, rounds: 3 });
    expect(verdict.undecidedWhy).toContain('they changed in each of 3 rounds');
  });

  test('is decided by its row in the first round in which it is quiet, where the outbox keeps nothing any more', async () => {
    const { ports } = writtenInRounds(2);
    const { verdict } = await verifyAggregate(comparison, {
      ...ports,
      outboxHashes: () => Promise.resolve(new Map()),
    });
    expect(verdict).toMatchObject({ state: 'clean', candidates: 1, rounds: 3 });
  });
});

/** A verification that leaves out a step of the argument: the property above has to see its false alarms. */
describe('the property sees the false alarms of a verification that', () => {
  const bugs: Record<string, (world: BusyWorld, real: VerifyPorts) => Partial<VerifyPorts>> = {
    'does not wait for the relay': () => ({
      passWatermark: () => Promise.resolve({ isPassed: true }),
    }),
    'does not read the topic on': (_, real) => {
      let isRead = false;
      return {
        readTopic: async (view) => {
          if (!isRead) await real.readTopic(view);
          isRead = true;
        },
      };
    },
  };
  test.each(Object.keys(bugs))('%s', async (name) => {
    let falseAlarms = 0;
    for (let seed = 0; seed < 150; seed += 1) {
      const world = startedWorld(seed);
      const ports = world.ports();
      const { verdict } = await idsFound(world, { ...ports, ...bugs[name]?.(world, ports) });
      if (verdict.state === 'differs') falseAlarms += 1;
    }
    expect(falseAlarms).toBeGreaterThan(0);
  });
});

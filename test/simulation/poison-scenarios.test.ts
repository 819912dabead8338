import { describe, expect, it } from 'vitest';
import type { RelayParts } from '../../services/relay/src/relay-parts.ts';
import { Chance } from './chance.ts';
import { Operator } from './operator.ts';
import { withSession } from './planted-around.ts';
import { World } from './scenario-world.ts';
import { isDeadLetterLane } from './simulated-publisher.ts';
import { itemChange, itemChangeNext } from './workload.ts';

const topics = ['sim.item-change', 'sim.item'];
const everyType = new Map([itemChange, itemChangeNext].map((type) => [type.name, type]));
const knowing = () => ({ eventTypes: everyType });

function operatorOf(world: World): Operator {
  if (!world.deadLetters) throw new Error('a world without dead letters');
  return new Operator(world, new Chance('operator'), world.deadLetters);
}

/** A world in which an item waits, since its first event is of a type that the relay does not know; no relay runs. */
async function worldWithParkedKey(): Promise<World> {
  const world = new World({ hasDeadLetters: true });
  world.commitRows([world.row({ type: itemChangeNext.name })]);
  const { life } = world.relay('a relay that does not know the type');
  await world.untilConfirmed();
  life.kill();
  expect(operatorOf(world).parked().size).toBe(1);
  return world;
}

describe('a key that is parked', () => {
  it('stays parked for a relay that stops at new poison: nothing of it passes the event that waits', async () => {
    const world = await worldWithParkedKey();
    const stopping = ({ settings }: RelayParts) => ({
      ...knowing(),
      settings: { ...settings, onPoison: 'stop' as const },
    });
    world.relay('a relay that stops at poison', stopping);
    world.commit(2);
    await world.untilConfirmed();
    for (const topic of topics) expect(world.versions(topic)).toEqual([]);

    operatorOf(world).redrive(true);
    await world.untilConfirmed();
    for (const topic of topics) expect(world.versions(topic)).toEqual([1, 2, 3]);
    expect(operatorOf(world).parked().size).toBe(0);
  });
});

describe('many keys that are parked one after the other', () => {
  it('cost a few sends and not one each, and nothing between them overtakes', async () => {
    const world = new World({ hasDeadLetters: true });
    for (let n = 0; n < 200; n += 1)
      world.commitRows([
        world.row({ type: itemChangeNext.name, aggregateId: `unknown ${n}` }),
        world.row(),
      ]);
    let sends = 0;
    const counted = withSession((session) => ({
      send: async (batches) => {
        sends += 1;
        return session.send(batches);
      },
    }));
    world.relay('relay', (parts) => ({
      ...counted(parts),
      settings: { ...parts.settings, maxInFlightBytes: 1_000_000 },
    }));
    await world.untilConfirmed();
    expect(operatorOf(world).parked().size).toBe(200);
    for (const topic of topics)
      expect(world.versions(topic)).toEqual(Array.from({ length: 200 }, (_, n) => 2 * n + 2));
    expect(sends).toBeLessThan(40);
  });
});

describe('many events that are too large for a topic', () => {
  /** Sessions that a backlog of so many costs, each between two events that fit; sizes as given. */
  async function sessionsFor(count: number, bytesOf: (n: number) => number) {
    const world = new World({ hasDeadLetters: true });
    world.kafka.maxBatchBytes = 3000;
    world.kafka.isRoomy = isDeadLetterLane;
    const oversize = (n: number) => ({ payload: Buffer.alloc(bytesOf(n), `{}`) });
    for (let n = 0; n < count; n += 1)
      world.commitRows([world.row({ aggregateId: `large ${n}`, ...oversize(n) }), world.row()]);
    let sessions = 0;
    world.relay('relay', (parts) => ({
      publisher: {
        open: (identity, startLsn) => {
          sessions += 1;
          return parts.publisher.open(identity, startLsn);
        },
      },
    }));
    await world.untilConfirmed();
    expect(operatorOf(world).parked().size).toBe(count);
    for (const topic of topics)
      expect(world.versions(topic)).toEqual(Array.from({ length: count }, (_, n) => 2 * n + 2));
    return { world, sessions };
  }

  it('cost a session for each topic and not one each, where they are of one size', async () => {
    expect((await sessionsFor(100, () => 4000)).sessions).toBeLessThanOrEqual(3);
  });

  it('cost a session for each that is smaller than all before, where their sizes differ', async () => {
    const { sessions } = await sessionsFor(100, (n) => 4000 + ((n * 7919 + 500) % 1009));
    expect(sessions).toBeLessThanOrEqual(12);
  });

  it('are tried anew when an operator redrives them, and so is what is written later', async () => {
    const { world } = await sessionsFor(5, () => 4000);
    world.kafka.maxBatchBytes = Infinity;
    world.commitRows([world.row({ aggregateId: 'later', payload: Buffer.alloc(4000, `{}`) })]);
    operatorOf(world).redrive(true);
    await world.untilConfirmed();
    expect(operatorOf(world).parked().size).toBe(0);
  });
});

describe('a relay that stops at poison', () => {
  it('parks nothing, and says which event it was', async () => {
    const world = new World({ hasDeadLetters: true });
    const halts: unknown[] = [];
    world.onHalt = (_, thrown) => halts.push(thrown);
    world.commitRows([world.row(), world.row({ type: itemChangeNext.name }), world.row()]);
    world.relay('relay', ({ settings }) => ({ settings: { ...settings, onPoison: 'stop' } }));
    await world.until('the relay has stopped', () => halts.length > 0);
    expect(halts).toMatchObject([{ code: 'EVENT_TYPE_UNKNOWN' }]);
    expect(operatorOf(world).parked().size).toBe(0);
    for (const topic of topics) expect(world.versions(topic)).toEqual([1]);
  });
});

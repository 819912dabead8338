import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { KafkaBroker, KafkaCluster } from '@outbound/local-stack';
import { eventually } from '../../support/eventually.ts';
import { coordinatorOf } from './group-offsets.ts';
import { nowUs } from './handled-file.ts';
import type { Members } from './member-process.ts';
import { calmMs, counts, mixedKinds, type NemesisKind } from './nemesis-kinds.ts';
import type { Disturbance } from './pauses.ts';
import type { PartitionState, TopicAdmin } from './topic-admin.ts';

type Single = Exclude<NemesisKind, 'mixed' | 'transactions'>;

export interface NemesisOptions {
  readonly kafka: KafkaCluster;
  readonly admin: TopicAdmin;
  readonly members: Members;
  readonly group: string;
  readonly folder: string;
  readonly random: () => number;
  /** Longer than this a suspended member is thrown out. */
  readonly sessionTimeoutMs: number;
  readonly replicas: 2 | 3;
}

/** Disturbs cluster and group, by its seed; each disturbance is over, and everything healed, before the next begins. */
export class Nemesis {
  readonly disturbances: Disturbance[] = [];
  /** Leaders that changed. */
  moves = 0;
  readonly #options: NemesisOptions;

  constructor(options: NemesisOptions) {
    this.#options = options;
  }

  /** All disturbances of a round, with pauses between them. */
  async round(kind: NemesisKind): Promise<void> {
    for (let turn = 0; turn < counts[kind]; turn += 1) {
      await delay(calmMs[kind] ?? this.#between(200, 1_500));
      const isMixed = kind === 'mixed' || kind === 'transactions';
      await this.disturb(isMixed ? this.#one(mixedKinds) : kind, turn);
    }
    await delay(calmMs[kind] ?? 0);
  }

  /** One disturbance. */
  async disturb(kind: Single, turn: number): Promise<void> {
    const { admin, kafka } = this.#options;
    const before = await admin.partitions();
    const beganUs = nowUs();
    const touched = await this.#act(kind, turn, before, kafka);
    const endedUs = nowUs();
    await admin.healed();
    const after = new Map((await admin.partitions()).map((each) => [each.partition, each.leader]));
    const moved = before.filter(({ partition, leader }) => after.get(partition) !== leader).length;
    this.moves += moved;
    this.disturbances.push({
      what: touched.what,
      beganUs,
      endedUs,
      partitions: touched.partitions,
    });
    const seconds = ((endedUs - beganUs) / 1e6).toFixed(1);
    console.log(`    ${touched.what}: ${seconds} s, ${moved} leaders moved`);
  }

  async #act(
    kind: Single,
    turn: number,
    before: readonly PartitionState[],
    kafka: KafkaCluster,
  ): Promise<{ what: string; partitions: readonly number[] }> {
    const ledBy = ({ nodeId }: KafkaBroker) =>
      before.filter(({ leader }) => leader === nodeId).map(({ partition }) => partition);
    switch (kind) {
      case 'reassign':
        return this.#reassign(before, this.#between(1, 4));
      case 'one-move':
        return this.#reassign(before, 1);
      case 'election':
        return this.#elect(before);
      case 'members':
        return this.#member(this.#one(['restart', 'kill', 'suspend', 'add']));
      case 'one-member':
        return this.#member('restart');
      case 'rolling':
      case 'coordinator':
      case 'stop': {
        const broker = await this.#brokerFor(kind, turn);
        await broker.stop({ timeoutMs: 120_000 });
        if (kind !== 'rolling') await delay(this.#between(500, 3_000));
        await broker.start();
        return { what: `broker ${broker.nodeId} stopped and started`, partitions: ledBy(broker) };
      }
      case 'kill': {
        const broker = this.#one(kafka.brokers);
        await broker.kill();
        await delay(this.#between(500, 3_000));
        await broker.start();
        return { what: `broker ${broker.nodeId} killed and started`, partitions: ledBy(broker) };
      }
      case 'hang': {
        const broker = this.#one(kafka.brokers);
        await broker.pause();
        await delay(this.#between(2_000, 8_000));
        await broker.resume();
        return { what: `broker ${broker.nodeId} hung`, partitions: ledBy(broker) };
      }
    }
  }

  /** Takes the leader's replica away from some partitions, or gives a taken one back in another place. */
  async #reassign(before: readonly PartitionState[], count: number) {
    const { admin, replicas, kafka } = this.#options;
    const chosen = this.#some(before, count);
    const nodes = kafka.brokers.map(({ nodeId }) => nodeId);
    const wanted = chosen.map(({ partition, leader, replicas: now }) => {
      const rest = this.#shuffled(nodes.filter((node) => node !== leader));
      // With three replicas there is no other broker: first one is taken away, then it comes back as the preferred leader.
      const back = [...rest.filter((node) => !now.includes(node)), ...now];
      return [partition, replicas === 3 && now.length === 2 ? back : rest] as const;
    });
    await admin.reassign(new Map(wanted));
    const partitions = chosen.map(({ partition }) => partition);
    return { what: `partitions ${partitions.join(', ')} reassigned`, partitions };
  }

  /** Makes another replica in sync the preferred leader, and has it elected. */
  async #elect(before: readonly PartitionState[]) {
    const { admin, kafka, folder } = this.#options;
    const chosen = this.#some(before, this.#between(1, 12)).filter(
      ({ replicas }) => replicas.length > 1,
    );
    const wanted = chosen.map(({ partition, leader, replicas }) => {
      const followers = this.#shuffled(replicas.filter((node) => node !== leader));
      return [partition, [...followers, leader]] as const;
    });
    await admin.reassign(new Map(wanted));
    const partitions = chosen.map(({ partition }) => partition);
    const file = join(folder, 'election.json');
    await writeFile(
      file,
      JSON.stringify({
        partitions: partitions.map((partition) => ({ topic: admin.topic, partition })),
      }),
    );
    const { code, stdout, stderr } = await kafka.tool(
      'leader-election',
      ['--election-type', 'preferred', '--path-to-json-file', file],
      { timeoutMs: 180_000 },
    );
    if (code !== 0) throw new Error(`the election ended with code ${code}: ${stdout}${stderr}`);
    return { what: `leaders of partitions ${partitions.join(', ')} elected`, partitions };
  }

  /** Restarts, kills, adds or suspends a member; never leaves the group without one. */
  async #member(act: 'restart' | 'kill' | 'suspend' | 'add') {
    const { members, sessionTimeoutMs } = this.#options;
    await eventually(() => members.running.length > 0);
    const member = this.#one(members.running);
    await members.atWork(member);
    const partitions = members.partitionsOf(member);
    switch (members.running.length > 3 && act === 'add' ? 'restart' : act) {
      case 'add':
        members.start();
        return { what: 'a member added', partitions };
      case 'restart':
        await members.stop(member);
        members.start();
        return { what: 'a member stopped and another started', partitions };
      case 'kill':
        await members.kill(member);
        members.start();
        return { what: 'a member killed and another started', partitions };
      case 'suspend':
        member.pause();
        await delay(this.#between(1_000, 1.5 * sessionTimeoutMs));
        member.resume();
        return { what: 'a member suspended', partitions };
    }
  }

  async #brokerFor(kind: 'rolling' | 'coordinator' | 'stop', turn: number): Promise<KafkaBroker> {
    const { kafka, group } = this.#options;
    if (kind === 'rolling') return kafka.broker((turn % 3) + 1);
    if (kind === 'coordinator') return kafka.broker(await coordinatorOf(kafka, group));
    return this.#one(kafka.brokers);
  }

  #between(low: number, high: number): number {
    return low + Math.floor(this.#options.random() * (high - low + 1));
  }

  #one<Value>(values: readonly Value[]): Value {
    const value = values[this.#between(0, values.length - 1)];
    if (value === undefined) throw new Error('there is nothing to choose from');
    return value;
  }

  #shuffled<Value>(values: readonly Value[]): Value[] {
    return values
      .map((value) => ({ value, rank: this.#options.random() }))
      .sort((one, other) => one.rank - other.rank)
      .map(({ value }) => value);
  }

  #some<Value>(values: readonly Value[], count: number): Value[] {
    return this.#shuffled(values).slice(0, count);
  }
}

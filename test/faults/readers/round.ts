import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { KafkaCluster } from '@outbound/local-stack';
import { eventually } from '../../support/eventually.ts';
import { seededRandom } from '../../support/random.ts';
import { committedOffsets } from './group-offsets.ts';
import { nowUs } from './handled-file.ts';
import { judgeRound, type Verdict } from './judge.ts';
import { KcatProducer, VersionCounter } from './kcat-producer.ts';
import { keyCount, plainTraffic, type LiveTraffic } from './live-traffic.ts';
import { Members } from './member-process.ts';
import { Nemesis } from './nemesis.ts';
import { calmMs } from './nemesis-kinds.ts';
import type { RoundPlan } from './round-plan.ts';
import { partitions } from './soak-event.ts';
import { TopicAdmin } from './topic-admin.ts';
import { readLog, type LogRecord } from './topic-log.ts';
import { TransactionalTraffic } from './transactional-traffic.ts';

/** A round and what became of it. */
export interface RoundResult extends Verdict {
  readonly plan: RoundPlan;
  readonly moves: number;
  /** Members that ended by themselves, with the end of what each said. */
  readonly crashes: readonly string[];
  /** Version gaps that the readers themselves told of. */
  readonly alarms: number;
  /** Why it never came to the end of the topic. */
  readonly stuck: string | undefined;
  readonly seconds: number;
}

const sessionTimeoutMs = 10_000;
/** Without any progress for this long a round is given up, as stuck. */
const silenceMs = 150_000;

/**
 * Runs one round: fills a topic, starts the members, disturbs while they work and while more is written, heals everything, waits until all is committed, and judges.
 * @param root of the repository whose consumer is under test.
 */
export async function runRound(
  kafka: KafkaCluster,
  plan: RoundPlan,
  root: string,
): Promise<RoundResult> {
  const startedMs = performance.now();
  const random = seededRandom(plan.seed);
  const name = `soak-${plan.seed}-${Math.floor(startedMs)}`;
  const folder = await mkdtemp(join(tmpdir(), 'outbound-readers-'));
  await using admin = await TopicAdmin.connect(kafka.directBootstrap, name);
  await using members = new Members(folder, {
    root,
    bootstrap: kafka.bootstrap,
    group: name,
    topic: name,
    form: plan.form,
    handlerMs: plan.handlerMs,
    sessionTimeoutMs,
  });
  await admin.create(firstAssignment(plan.replicas));
  const versions = new VersionCounter();
  await fill(kafka, name, versions, plan.events);
  for (let index = 0; index < plan.members; index += 1) members.start();
  const traffic = {
    ...{ bootstrap: kafka.directBootstrap, topic: name, versions },
    // A stream of its own, so that the nemesis is not moved by how much was written.
    random: seededRandom(Math.floor(random() * 2 ** 31)),
  };
  const live: LiveTraffic =
    plan.kind === 'transactions' ? new TransactionalTraffic(traffic) : plainTraffic(traffic);
  try {
    const { replicas, kind } = plan;
    // Disturbed while they still share out the work, unless it is the pauses of a group at work that are measured.
    const isAtWork = (sizes: readonly number[]) =>
      calmMs[kind] === undefined ? sizes.some(Boolean) : sizes.every(Boolean);
    await eventually(() => isAtWork(members.progress), { timeoutMs: 240_000, intervalMs: 50 });
    const nemesis = new Nemesis({
      ...{ kafka, admin, members, folder, random, sessionTimeoutMs, replicas, group: name },
    });
    await nemesis.round(kind);
    await live.end();
    const log = await readLog(kafka.directBootstrap, name);
    const stuck = await settled(admin, members, name, log);
    for (const member of members.running) await members.stop(member);
    const verdict = judgeRound({
      log,
      handled: members.handled(),
      committed: await committedOffsets(kafka, name, name),
      disturbances: nemesis.disturbances,
      clockOffsetUs: Date.now() * 1000 - nowUs(),
    });
    const seconds = Math.round((performance.now() - startedMs) / 1000);
    const { moves } = nemesis;
    return {
      ...verdict,
      plan,
      moves,
      crashes: members.crashed,
      alarms: members.alarms,
      stuck,
      seconds,
    };
  } finally {
    live.kill();
    await admin.delete();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Leaders in turn, followers on the next brokers. */
function firstAssignment(replicas: number): Map<number, number[]> {
  return new Map(
    Array.from({ length: partitions }, (_, partition) => [
      partition,
      Array.from({ length: replicas }, (__, index) => ((partition + index) % 3) + 1),
    ]),
  );
}

async function fill(
  kafka: KafkaCluster,
  topic: string,
  versions: VersionCounter,
  events: number,
): Promise<void> {
  const producer = new KcatProducer(kafka.directBootstrap, topic, versions);
  for (let written = 0; written < events; written += keyCount)
    await producer.write(
      Array.from({ length: Math.min(keyCount, events - written) }, (_, index) => `k-${index}`),
    );
  await producer.end();
}

/** Resolves when the group has committed every record; with what it lacks when nothing moves any more. */
async function settled(
  admin: TopicAdmin,
  members: Members,
  group: string,
  log: readonly LogRecord[],
): Promise<string | undefined> {
  const last = new Map(log.map(({ partition, offset }) => [partition, offset]));
  let movedMs = performance.now();
  let seen = '';
  for (;;) {
    const committed = await admin.committed(group).catch(() => undefined);
    const behind = [...last].filter(
      ([partition, offset]) => (committed?.get(partition) ?? 0) <= offset,
    );
    if (behind.length === 0) return undefined;
    const now = `${members.progress.join()}, ${behind.map(([each]) => committed?.get(each)).join()}`;
    if (now !== seen) movedMs = performance.now();
    seen = now;
    if (performance.now() - movedMs > silenceMs)
      return `partitions ${behind.map(([each]) => each).join(', ')} are not committed to their ends, and nothing moves`;
    await delay(250);
  }
}

import type pg from 'pg';
import type { KafkaAdmin } from '../kafka/kafka-admin.ts';
import { ok, warning, type Finding } from './finding.ts';

/** Shares of a topic's retention at which it is looked whether anything was published since, the longest first. */
const shares = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3];
/** From this share of the retention on, a backlog is a warning: it takes time to come up again, too. */
const warnAt = 0.5;

/** How much of a topic's retention the oldest event has used up that is not in it yet. */
export interface Backlog {
  readonly topic: string;
  readonly retentionMs: number;
  /** Age of that event by the database's clock; undefined if nothing old is missing. */
  readonly oldestMs: number | undefined;
}

/**
 * An outage that lasts as long as a topic keeps its records ends in a loss for its readers: records have the time of their commit, so what is
 * published after it can be deleted at once. One finding for each topic. Pure.
 */
export function judgeBacklog(backlogs: readonly Backlog[]): readonly Finding[] {
  return backlogs.map(({ topic, retentionMs, oldestMs }) => {
    const check = `backlog of ${topic}`;
    if (oldestMs === undefined || oldestMs < retentionMs * warnAt)
      return ok(check, `is younger than the ${hours(retentionMs)} that the topic keeps`);
    return warning(
      check,
      `nothing was published since an event of ${hours(oldestMs)} ago, and the topic keeps ${hours(retentionMs)}: what is older than that when it comes is deleted at once`,
      `before the relay catches up, raise retention.ms of ${topic} (kafka-configs.sh), and lower it when its readers have caught up`,
    );
  });
}

/**
 * The backlog of a topic that is kept for a time, from both sides: nothing in it was committed after a moment, and the outbox has an event since then.
 * Undefined for a topic that has no such limit. Rejects if Kafka or the database cannot be asked.
 * @param nowMs by the database's clock.
 */
export async function readBacklog(
  admin: Pick<KafkaAdmin, 'topicConfig' | 'topicRanges' | 'offsetsAt'>,
  pool: Pick<pg.Pool, 'query'>,
  { topic, eventTypes, nowMs }: { topic: string; eventTypes: readonly string[]; nowMs: number },
): Promise<Backlog | undefined> {
  const configs = await admin.topicConfig(topic, ['cleanup.policy', 'retention.ms']);
  const retentionMs = Number(configs.get('retention.ms') ?? -1);
  if (configs.get('cleanup.policy') !== 'delete' || !(retentionMs > 0)) return undefined;
  const ranges = await admin.topicRanges(topic);
  const ends = new Map(ranges.map(({ partition, high }) => [partition, high]));
  for (const share of shares) {
    const sinceMs = nowMs - retentionMs * share;
    const offsets = await admin.offsetsAt(topic, Math.floor(sinceMs));
    if (offsets.some(({ partition, offset }) => offset < (ends.get(partition) ?? 0n))) continue;
    const { rows } = await pool.query<{ oldest_ms: number | null }>(
      `select (extract(epoch from min(created_at)) * 1000)::float8 as oldest_ms from outbox
       where created_at >= to_timestamp($1::float8 / 1000) and type = any($2)`,
      [sinceMs, eventTypes],
    );
    const oldestMs = rows[0]?.oldest_ms;
    return {
      topic,
      retentionMs,
      oldestMs: oldestMs === undefined || oldestMs === null ? undefined : nowMs - oldestMs,
    };
  }
  return { topic, retentionMs, oldestMs: undefined };
}

function hours(ms: number): string {
  const value = ms / 3_600_000;
  return value < 48 ? `${value.toFixed(value < 10 ? 1 : 0)} h` : `${(value / 24).toFixed(1)} days`;
}

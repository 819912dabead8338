import { sizeText } from '../records/readable-line.ts';
import { safeText } from '../records/safe-text.ts';
import type {
  GroupProgress,
  OutboxFacts,
  SlotFacts,
  TopicFinding,
  TraceReport,
} from './trace-report.ts';

/** Where the event is, in one word and one sentence. */
export interface Verdict {
  readonly state:
    'delivered' | 'partly' | 'waiting' | 'missing' | 'expired' | 'unknown' | 'not found';
  readonly sentence: string;
}

/**
 * Answers "where is my event?". Never says delivered of what was not seen in its topics, and never says missing while
 * the relay may still bring it.
 */
export function verdictOf(report: TraceReport): Verdict {
  const { kind, row, topics, slot, events } = report;
  if (kind === 'nothing')
    return {
      state: 'not found',
      sentence: `${report.id} is neither an entity nor an event that the outbox still holds: check the id; an older event may still be in its topics (outbound tail TOPIC -e --grep ${report.id})`,
    };
  const what = subject(events[0], row);
  if (topics === undefined)
    return { state: 'unknown', sentence: `${what}: ${withoutTopics(report)}` };
  const expected = topics.filter(({ form }) => form !== 'skip');
  const missingTopics = expected.filter(({ status }) => status === 'missing');
  if (missingTopics.length > 0)
    return {
      state: 'missing',
      sentence: `${what} cannot be delivered: ${names(missingTopics)} ${missingTopics.length === 1 ? 'does' : 'do'} not exist (the relay's provision makes the declared topics; check OUTBOUND_TOPIC_PREFIX)`,
    };
  const there = expected.filter(({ status }) => status === 'found' || status === 'superseded');
  const absent = expected.filter(({ status }) => status === 'absent');
  const expired = expected.filter(({ status }) => status === 'expired');
  if (absent.length === 0 && expired.length === 0) {
    if (expected.length === 0)
      return {
        state: 'delivered',
        sentence: `${what} goes to no topic: its event type routes none`,
      };
    return {
      state: 'delivered',
      sentence: `${what} is delivered to ${counted(there)}; ${readers(there)}`,
    };
  }
  const wait = waiting(slot);
  if (wait !== undefined && absent.length > 0)
    return {
      state: there.length > 0 ? 'partly' : 'waiting',
      sentence:
        there.length > 0
          ? `${what} is in ${names(there)} and not yet in ${names(absent)}: ${wait}`
          : `${what} is waiting: ${wait}`,
    };
  if (absent.length === 0)
    return {
      state: 'expired',
      sentence: `${what} is no longer in ${names(expired)}, whose retention has removed the records of that time${there.length > 0 ? `; it is in ${names(there)}` : ''}`,
    };
  if (slot?.lagBytes === undefined)
    return {
      state: 'unknown',
      sentence: `${what} is not in ${names(absent)}, and how far the relay is cannot be seen from here`,
    };
  return {
    state: 'missing',
    sentence: `${what} is not in ${names(absent)}, although the slot has passed it: run outbound verify, which finds and repairs what is missing`,
  };
}

function subject(event: OutboxFacts | undefined, row: TraceReport['row']): string {
  if (event) return `version ${event.version} of ${event.aggregateId} (${event.dataOp})`;
  return row
    ? `version ${row.version} of ${row.id}${row.isDeleted ? ' (deleted)' : ''}`
    : 'the event';
}

/** Why it may not be there yet; undefined if the slot has passed all that was committed when it was asked. */
function waiting(slot: SlotFacts | undefined): string | undefined {
  if (!slot) return undefined;
  if (!slot.exists)
    return `slot ${slot.name} does not exist: no relay has run here yet, or the slot was dropped (then: outbound recover)`;
  if (slot.walStatus === 'lost')
    return `slot ${slot.name} is lost, Postgres has removed log that it needed (outbound recover)`;
  if (slot.isAhead)
    return `slot ${slot.name} has confirmed more than the log has, as when they were restored apart, so no relay reads it (outbound recover)`;
  const behind = slot.lagBytes === undefined ? 'an unknown distance' : sizeText(slot.lagBytes);
  if (!slot.isActive)
    return slot.lagBytes === 0
      ? undefined
      : `no relay is connected to slot ${slot.name}, which is ${behind} behind`;
  return slot.lagBytes === undefined || slot.lagBytes === 0
    ? undefined
    : `slot ${slot.name} is ${behind} behind`;
}

function withoutTopics({ kafkaProblem, slot }: TraceReport): string {
  const problem = `where it is in Kafka is unknown (${kafkaProblem ?? 'not asked'})`;
  if (slot?.lagBytes === 0)
    return `${problem}; the slot has passed it, so Kafka has confirmed it to the relay`;
  const wait = waiting(slot);
  return wait === undefined ? problem : `${problem}; ${wait}`;
}

function readers(findings: readonly TopicFinding[]): string {
  if (findings.some(({ groups }) => groups === undefined))
    return 'which groups have read it is unknown, this user may not ask';
  const all = findings.flatMap(({ topic, groups }) =>
    (groups ?? []).map((progress) => ({ topic, progress })),
  );
  if (all.length === 0) return 'no consumer group reads it';
  const behind = all.filter(({ progress }) => progress.hasPassed !== true);
  if (behind.length === 0)
    return all.length === 1
      ? `group ${safeText(all[0]?.progress.group ?? '')} has read it`
      : `all ${all.length} consumer groups have read it`;
  return behind.map(({ progress }) => readerText(progress)).join(', ');
}

function readerText({ group, lag }: GroupProgress): string {
  return lag === undefined
    ? `group ${safeText(group)} has committed nothing on its partition`
    : `group ${safeText(group)} has not read it yet (lag ${lag})`;
}

function counted(findings: readonly TopicFinding[]): string {
  const superseded = findings.filter(({ status }) => status === 'superseded');
  const where =
    findings.length === 2
      ? `both topics`
      : findings.length === 1
        ? names(findings)
        : `all ${findings.length} topics`;
  return superseded.length === 0
    ? where
    : `${where}, and in ${names(superseded)} a newer state has taken its place`;
}

function names(findings: readonly TopicFinding[]): string {
  return findings.map(({ topic }) => topic).join(' and ');
}

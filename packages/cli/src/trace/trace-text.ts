import type { Output } from '../console/output.ts';
import { sizeText } from '../records/readable-line.ts';
import { offsetNumber, timestampText } from '../records/record-json.ts';
import { safeText } from '../records/safe-text.ts';
import type { SlotFacts, TopicFinding, TraceReport } from './trace-report.ts';
import type { Verdict } from './verdict.ts';

const unknown = 'unknown';

/** The report for a person, from the row to the readers, and the verdict at the end. */
export function traceText(report: TraceReport, verdict: Verdict, output: Output): string {
  const { bold } = output.colors;
  if (report.kind === 'nothing') return verdict.sentence;
  const { row, events, retained, slot, topics } = report;
  const versions = new Set(events.map(({ version }) => version));
  return [
    `${bold('row')}     ${row ? `${row.aggregate} ${row.id}, version ${row.version}${row.isDeleted ? ', deleted' : ''}` : 'none (purged, or of a kind that is not stored here)'}`,
    `${bold('outbox')}  ${events.length === 0 ? 'no event is kept any more (retention)' : `${retained} ${retained === 1 ? 'event' : 'events'} kept${retained > versions.size && report.kind === 'entity' ? `, the last ${events.length}:` : ''}`}`,
    ...(events.length === 0
      ? []
      : [
          output.table(
            ['  EVENT', 'OP', 'VERSION', 'CREATED', 'SIZE'],
            events.map(({ eid, dataOp, version, createdAtMs, bytes }) => [
              `  ${eid}`,
              dataOp,
              String(version),
              timestampText(createdAtMs) ?? unknown,
              sizeText(bytes),
            ]),
          ),
        ]),
    `${bold('log')}     ${logText(report)}`,
    `${bold('slot')}    ${slot ? slotText(slot) : unknown}`,
    topics?.length
      ? bold('kafka')
      : `${bold('kafka')}   ${topics ? 'no topic' : `${unknown}: ${report.kafkaProblem ?? 'not asked'}`}`,
    ...(topics?.length
      ? [
          output.table(
            ['  TOPIC', 'PARTITION:OFFSET', 'TIME', 'GROUPS'],
            topics.map((finding) => [`  ${finding.topic}`, ...findingCells(finding)]),
          ),
        ]
      : []),
    '',
    verdict.sentence,
  ].join('\n');
}

function logText({ topics, slot }: TraceReport): string {
  const lsn = commitLsn(topics);
  if (lsn === undefined) return 'commit position unknown (no record of it was seen)';
  const confirmed = slot?.confirmedLsn;
  return `committed at ${lsn}${confirmed === undefined ? '' : `, slot confirmed ${confirmed}`}`;
}

/** Where the event's transaction was committed, as far as a record of it says. */
function commitLsn(topics: TraceReport['topics']): string | undefined {
  return topics?.find(({ status, record }) => status === 'found' && record?.commitLsn !== undefined)
    ?.record?.commitLsn;
}

function slotText(slot: SlotFacts): string {
  if (!slot.exists) return `${slot.name} does not exist`;
  const lag = slot.lagBytes === undefined ? 'an unknown distance' : sizeText(slot.lagBytes);
  return `${slot.name} ${slot.isActive ? 'active' : 'not active'}, ${lag} behind the end of the log`;
}

function findingCells({ status, form, record, groups }: TopicFinding): string[] {
  if (form === 'skip') return ['not routed', '', ''];
  if (status === 'missing') return ['no such topic', '', ''];
  if (!record) return [status === 'expired' ? 'gone (retention)' : 'not there', '', ''];
  return [
    `${record.partition}:${record.offset}${status === 'superseded' ? ` (newer: ${record.version === undefined ? 'tombstone' : `v${record.version}`})` : record.isTombstone ? ' (tombstone)' : ''}`,
    timestampText(record.timestampMs) ?? unknown,
    groups === undefined
      ? unknown
      : groups.length === 0
        ? 'none'
        : groups
            .map(
              ({ group, hasPassed, lag }) =>
                `${safeText(group)}: ${hasPassed === undefined ? 'nothing committed' : hasPassed ? 'read' : `lag ${lag ?? 0n}`}`,
            )
            .join(', '),
  ];
}

/** The report as JSON; what is unknown is null. */
export function traceJson(report: TraceReport, verdict: Verdict): object {
  const { row, slot, topics } = report;
  return {
    id: report.id,
    kind: report.kind,
    state: verdict.state,
    sentence: verdict.sentence,
    row: row
      ? { aggregate: row.aggregate, id: row.id, version: row.version, deleted: row.isDeleted }
      : null,
    outbox: {
      retained: report.retained,
      events: report.events.map((event) => ({
        eid: event.eid,
        event_type: event.eventType,
        key: event.aggregateId,
        version: event.version,
        data_op: event.dataOp,
        created_at: timestampText(event.createdAtMs) ?? null,
        bytes: event.bytes,
      })),
    },
    commit_lsn: commitLsn(topics) ?? null,
    slot: slot
      ? {
          name: slot.name,
          exists: slot.exists,
          active: slot.isActive,
          confirmed_lsn: slot.confirmedLsn ?? null,
          lag_bytes: slot.lagBytes ?? null,
          wal_status: slot.walStatus ?? null,
        }
      : null,
    kafka_problem: report.kafkaProblem ?? null,
    topics: topics?.map(topicJson) ?? null,
  };
}

function topicJson({ topic, form, status, partition, record, groups }: TopicFinding): object {
  return {
    topic,
    form,
    status,
    partition: partition ?? null,
    offset: record ? offsetNumber(record.offset) : null,
    timestamp: record ? (timestampText(record.timestampMs) ?? null) : null,
    version: record?.version ?? null,
    tombstone: record?.isTombstone ?? null,
    replay: record?.isReplay ?? null,
    groups:
      groups?.map(({ group, committed, hasPassed, lag }) => ({
        group,
        committed: committed === undefined ? null : offsetNumber(committed),
        has_passed: hasPassed ?? null,
        lag: lag === undefined ? null : offsetNumber(lag),
      })) ?? null,
  };
}

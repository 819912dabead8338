import type { Output } from '../console/output.ts';
import { ageText, bytesText, durationText, numberText } from '../console/units.ts';
import type { GroupStatus, KafkaStatus, TopicStatus } from './kafka-status.ts';
import type { ParkedStatus } from './parked-status.ts';
import type { RelayStatus } from './relay-status.ts';
import type { SlotStatus } from './slot-status.ts';
import type { OperationStatus, OutboxStatus } from './source-status.ts';
import type { Status } from './status.ts';

const unknown = 'unknown';

/** The status for people: what is not known is said to be unknown, with the reason, and never shown as nothing. */
export function statusText(
  status: Status,
  names: { readonly slot: string; readonly publication: string; readonly nowMs: number },
  output: Pick<Output, 'colors' | 'table'>,
): string {
  const { bold, red } = output.colors;
  const lines: string[] = [];
  const say = (name: string, text: string) => lines.push(`${bold(name.padEnd(12))}${text}`);
  const more = (text: string) => lines.push(`${' '.repeat(12)}${text}`);

  const { slot, publication, outbox, relay, kafka, deadLetters, operations } = status;
  if (!slot.isKnown) say('slot', `${names.slot}: ${unknown}: ${slot.why}`);
  else if (!slot.value)
    say('slot', red(`${names.slot} does not exist: no relay has started, or it was dropped`));
  else {
    const [first = '', ...rest] = slotLines(slot.value);
    say('slot', first);
    const isUrgent = ['alarm', 'lost'].includes(slot.value.budget.state);
    rest.forEach((line) => more(isUrgent ? red(line) : line));
  }
  if (!publication.isKnown) say('publication', `${unknown}: ${publication.why}`);
  else if (!publication.value) say('publication', red(`${names.publication} does not exist`));
  else
    say(
      'publication',
      publication.value.covers_outbox
        ? `${publication.value.name} publishes the outbox`
        : red(`${publication.value.name} does not publish the outbox`),
    );
  say(
    'outbox',
    outbox.isKnown ? outboxText(outbox.value, names.nowMs) : `${unknown}: ${outbox.why}`,
  );
  say('relay', relay.isKnown ? relayText(relay.value, names.nowMs) : `${unknown}: ${relay.why}`);
  say('kafka', kafka.isKnown ? clusterText(kafka.value) : `${unknown}: ${kafka.why}`);
  if (!deadLetters.isKnown) say('parked', `${unknown}: ${deadLetters.why}`);
  else {
    const text = parkedText(deadLetters.value);
    say('parked', (deadLetters.value?.keys ?? 0) > 0 ? red(text) : text);
  }
  if (kafka.isKnown) {
    const { topics, groups } = kafka.value;
    lines.push(
      '',
      output.table(['TOPIC', 'POLICY', 'PARTITIONS', 'RECORDS'], topics.map(topicRow)),
    );
    lines.push(
      '',
      groups.length === 0
        ? 'no consumer group has a position in these topics'
        : output.table(
            ['GROUP', 'STATE', 'MEMBERS', 'TOPIC', 'LAG', 'LAG IN TIME', ''],
            groups.map(groupRow),
          ),
    );
  }
  if (!operations.isKnown) lines.push('', `operations: ${unknown}: ${operations.why}`);
  else if (operations.value.length > 0)
    lines.push(
      '',
      output.table(
        ['OPERATION', 'BEGAN', 'BY', 'STATE'],
        operations.value.map((each) => operationRow(each, names.nowMs)),
      ),
    );
  return lines.join('\n');
}

function slotLines(slot: SlotStatus): string[] {
  const lag = slot.lag_bytes === null ? unknown : bytesText(slot.lag_bytes);
  return [
    `${slot.name} is ${slot.active ? 'read by a relay' : 'not read by anyone'}; wal_status ${slot.wal_status ?? unknown}`,
    `confirmed ${slot.confirmed_flush_lsn ?? unknown}, ${lag} behind the log; begins again from ${slot.restart_lsn ?? unknown}`,
    `log ${slot.budget.says}`,
  ];
}

function outboxText(outbox: OutboxStatus, nowMs: number): string {
  const { oldest_unsealed: unsealed } = outbox;
  const parts = [
    `${outbox.partitions} partitions, ${outbox.days_ahead === null ? unknown : `${outbox.days_ahead} days`} ahead`,
    `${outbox.rows_estimate === null ? `rows ${unknown}` : `about ${numberText(outbox.rows_estimate)} rows`}`,
    outbox.newest_row_at === null
      ? 'nothing written yet'
      : `last written ${ageText(outbox.newest_row_at, nowMs)}`,
  ];
  if (unsealed && unsealed.oldest_row_seconds !== null)
    parts.push(
      `first row of the oldest unsealed partition (${unsealed.name}) ${durationText(unsealed.oldest_row_seconds)} ago`,
    );
  if (outbox.default_has_rows) parts.push('outbox_default has rows: housekeeping is late');
  return parts.join(' · ');
}

function relayText(relay: RelayStatus, nowMs: number): string {
  const lag = (seconds: number | null) => (seconds === null ? unknown : durationText(seconds));
  const parts = [
    relay.state ?? `state ${unknown}`,
    `delivery lag p50 ${lag(relay.delivery_lag_p50_seconds)}, p99 ${lag(relay.delivery_lag_p99_seconds)} since its start`,
    relay.last_delivery_at === null
      ? 'nothing delivered yet'
      : `last delivery ${ageText(relay.last_delivery_at, nowMs)}`,
  ];
  if (relay.reading_paused === true) parts.push('reading is paused by back-pressure');
  if ((relay.refuted_partitions ?? 0) > 0)
    parts.push(
      `${relay.refuted_partitions} partitions hold events that this database does not have (outbound verify --repair)`,
    );
  return parts.join(' · ');
}

function parkedText(parked: ParkedStatus | undefined): string {
  if (!parked) return 'there are no topics for dead letters (provision makes them)';
  const { keys, events, by_code: byCode, oldest_seconds: oldest } = parked;
  if (keys === 0) return 'no key';
  const causes = Object.entries(byCode).map(([code, count]) => `${numberText(count)} by ${code}`);
  return `${numberText(keys)} keys (${causes.join(', ')}), ${numberText(events)} events wait in the dead letters, the first ${oldest === null ? `since ${unknown}` : `for ${durationText(oldest)}`}; see outbound dead-letters`;
}

function clusterText({ cluster }: KafkaStatus): string {
  return `cluster ${cluster.id}, broker ${cluster.brokers.join(', ')}`;
}

function topicRow(topic: TopicStatus): string[] {
  if (!topic.exists) return [topic.topic, topic.cleanup_policy, 'missing', ''];
  const { records } = topic;
  return [
    topic.topic,
    topic.cleanup_policy,
    String(topic.partitions ?? unknown),
    records === null ? unknown : upTo(records, topic.cleanup_policy === 'compact'),
  ];
}

function groupRow(group: GroupStatus): string[] {
  const notes: string[] = [];
  if (group.partitions_without_position > 0)
    notes.push(`no position on ${group.partitions_without_position} partitions`);
  if (group.expired_records > 0)
    notes.push(`${numberText(group.expired_records)} expired before they were read`);
  return [
    group.group,
    group.state,
    group.members === null ? unknown : String(group.members),
    group.topic,
    group.lag_records === null ? unknown : upTo(group.lag_records, group.lag_is_upper_bound),
    group.lag_seconds === null ? unknown : durationText(group.lag_seconds),
    notes.join('; '),
  ];
}

/** Offsets on a compacted topic have gaps: only the most that there can be is known. */
function upTo(records: number, isUpperBound: boolean): string {
  return isUpperBound && records > 0 ? `up to ${numberText(records)}` : numberText(records);
}

function operationRow(operation: OperationStatus, nowMs: number): string[] {
  return [
    operation.verb,
    ageText(operation.started_at, nowMs),
    operation.actor,
    operation.outcome ?? 'runs, or was killed',
  ];
}

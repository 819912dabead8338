import { withTopicPrefix, type EventType } from '@outbound/contract';
import { eventTypes, storedAggregates } from '@outbound/schemas';
import { PipelineError } from '@outbound/service-kit';
import type { CliContext } from '../context.ts';
import { CliError, exitCodes, type ExitCode } from '../exit-codes.ts';
import { openKafkaAdmin, type GroupOffset, type KafkaAdmin } from '../kafka/kafka-admin.ts';
import { wholeNumber } from '../tail/tail-verb.ts';
import type { AddVerb } from '../verb.ts';
import { countOf, eventsOf, findEvent, findRow, slotFacts, slotPassing } from './database-facts.ts';
import { allGroupOffsets, groupProgress } from './group-progress.ts';
import { searchTopic, type Focus } from './topic-search.ts';
import type { TopicFinding, TraceReport, TracedRow, OutboxFacts } from './trace-report.ts';
import { traceJson, traceText } from './trace-text.ts';
import { verdictOf, type Verdict } from './verdict.ts';

/** A relay in its default settings reports to the slot every 5 s. */
const relayReportsMs = 6000;

/** `outbound trace ID`: an entity or event from its row to the groups that have read it. */
export const addTrace: AddVerb = (verb, bind) => {
  verb
    .argument('<id>', 'an entity id (its newest event is followed) or an event id')
    .option('-n, --limit <n>', 'how many events of an entity are shown', wholeNumber, 10)
    .addHelpText(
      'after',
      `
The last line says it in one sentence. Exit code 0 if it is delivered, on its way, or gone by retention as declared; 3 if it is missing or not found; 5 if Kafka
did not answer. The commit position is known once a record of the event was seen; before that it is unknown.`,
    )
    .action(bind(trace));
};

async function trace(
  context: CliContext,
  id: string,
  { limit }: { readonly limit: number },
): Promise<ExitCode> {
  const { output, settings } = context;
  const pool = await context.database();
  const event = await findEvent(pool, id);
  const row = await findRow(pool, event?.aggregateId ?? id);
  const ofEntity = event ? undefined : await eventsOf(pool, id, Math.max(1, limit));
  const events = event ? [event] : (ofEntity?.events ?? []);
  const kind = event ? 'event' : row || events.length > 0 ? 'entity' : 'nothing';
  // After the rows: whatever was committed when they were read is before the end of the log that is seen now.
  let slot = kind === 'nothing' ? undefined : await slotFacts(pool, settings.slot);
  const focus = focusOf(events[0], row);
  const search = () => (focus ? inKafka(context, focus, events[0], row) : { topics: [] });
  let kafka = await search();
  if (slot?.isActive && kafka.topics?.some(({ status }) => status === 'absent')) {
    // On its way, or missing? Only a slot that has passed the event can tell, and a look after that.
    slot = await slotPassing(pool, slot, { timeoutMs: relayReportsMs, signal: context.signal });
    kafka = await search();
  }
  if (context.signal.aborted) return exitCodes.interrupted;
  const report: TraceReport = {
    ...{ id, kind, row, events, slot },
    retained: event ? await countOf(pool, event.aggregateId) : (ofEntity?.retained ?? 0),
    topics: kafka.topics,
    kafkaProblem: 'problem' in kafka ? kafka.problem : undefined,
  };
  const verdict = verdictOf(report);
  output.answer(traceJson(report, verdict), () => traceText(report, verdict, output));
  return exitCodeOf(report, verdict);
}

function exitCodeOf(report: TraceReport, { state }: Verdict): ExitCode {
  if (report.topics === undefined) return exitCodes.unavailable;
  return state === 'missing' || state === 'not found' ? exitCodes.differs : exitCodes.done;
}

/** The event, or where the outbox has none any more what the row says is the state. */
function focusOf(event: OutboxFacts | undefined, row: TracedRow | undefined): Focus | undefined {
  if (event)
    return {
      key: event.aggregateId,
      eid: event.eid,
      version: event.version,
      dataOp: event.dataOp,
      sinceMs: event.createdAtMs,
    };
  return row
    ? {
        key: row.id,
        eid: undefined,
        version: row.version,
        dataOp: row.isDeleted ? 'D' : 'U',
        sinceMs: undefined,
      }
    : undefined;
}

async function inKafka(
  context: CliContext,
  focus: Focus,
  event: OutboxFacts | undefined,
  row: TracedRow | undefined,
): Promise<
  | { readonly topics: readonly TopicFinding[] }
  | { readonly topics: undefined; readonly problem: string }
> {
  const { settings, signal } = context;
  const declared = [...withTopicPrefix(eventTypes, settings.topicPrefix).values()];
  const eventType = declared.find(isOf(event, row));
  if (!eventType)
    return {
      topics: undefined,
      problem: `event type ${event?.eventType ?? 'of the row'} is not declared in this version of outbound`,
    };
  try {
    const connection = context.kafka();
    const admin = await openKafkaAdmin(connection);
    context.onClose(() => admin.close());
    const groups = await groupOffsets(admin);
    const topics: TopicFinding[] = [];
    for (const route of eventType.routes) {
      const finding = await searchTopic({ admin, connection, signal }, route, focus);
      topics.push({
        ...finding,
        groups:
          groups && finding.record
            ? groupProgress(groups, route.topic, finding.record)
            : groups && [],
      });
    }
    return { topics };
  } catch (thrown) {
    // What the database says is an answer too.
    if (thrown instanceof PipelineError && thrown.code !== 'CONFIG_INVALID')
      return { topics: undefined, problem: thrown.message };
    throw thrown;
  }
}

function isOf(
  event: OutboxFacts | undefined,
  row: TracedRow | undefined,
): (eventType: EventType) => boolean {
  return event
    ? ({ name }) => name === event.eventType
    : ({ name }) => name === storedAggregates.get(row?.aggregate ?? '')?.eventType.name;
}

/** Undefined if this user may not see groups: then the rest is still worth saying. */
async function groupOffsets(
  admin: KafkaAdmin,
): Promise<ReadonlyMap<string, readonly GroupOffset[]> | undefined> {
  try {
    return await allGroupOffsets(admin);
  } catch (thrown) {
    if (thrown instanceof CliError && thrown.code === 'KAFKA_FORBIDDEN') return undefined;
    throw thrown;
  }
}

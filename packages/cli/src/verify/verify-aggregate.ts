import {
  compareStates,
  decide,
  isSameHash,
  isWithin,
  type Decision,
  type EarlierRow,
} from './compare-states.ts';
import type { EntityId, EntityIndex } from './entity-index.ts';
import { differenceKinds, type RowState } from './entity-states.ts';
import { FindingsCollector, stateOf, type Verdict } from './findings.ts';
import { TopicView } from './topic-view.ts';
import type { Delivery, EntityVersion, VerifyPorts } from './verify-ports.ts';

const chunkLength = 1_000;

/** What is compared with what. */
export interface Comparison {
  /** `product` */
  readonly aggregate: string;
  /** The compacted topic, as it is called here. */
  readonly topic: string;
  /** As declared. */
  readonly partitions: number;
  /** Ids that are told of each kind. */
  readonly maxIds: number;
  /**
   * Watermarks that are waited for, at the most: an entity that changes in each round and cannot be proved otherwise
   * stays undecided.
   */
  readonly maxRounds: number;
}

/** A verdict, and what it is about, so that it can be repaired. */
export interface Verification {
  readonly verdict: Verdict;
  readonly view: TopicView;
}

/**
 * Compares a compacted topic with its table, entity by entity, while both change. It never calls damaged what is not,
 * and it finds whatever damage
 * is there when it begins, unless the entity is written again meanwhile.
 *
 * **First look.** The topic is read to its end, then the table is scanned. What agrees is done. What does not is only a
 * candidate: nearly always its event
 * is under way, or its row has changed since the topic was read.
 *
 * **Rounds.** For the candidates, again and again: (1) their rows have been read, in the scan or in the round before;
 * (2) a watermark is written into the
 * write-ahead log, and we wait until the slot has confirmed it; (3) the topic is read on to its new end; (4) the rows
 * are read again. If a row is the same
 * in (1) and (4), it was so in between, because every change counts the version up. All its events were committed
 * before (1), so before the watermark, so they are in
 * the topic as read in (3): the relay confirms nothing that is not there (I6). No later event existed at (3), because
 * nothing is published that is not
 * committed (I2). Events of the same version (snapshots) say the same. So the record must say what the row says, and if
 * not, it is damaged. A row that changed decides
 * nothing, and is looked at in the next round, (4) being the new (1).
 *
 * **Not visible yet.** Postgres writes a commit to the log a moment before other sessions see it, or long before, if it
 * waits for a synchronous standby. So a record
 * may rightly be newer than any row that can be read. Where the record can be such a one (a higher version, a tombstone
 * of a live row, a value without a row),
 * the entity is a suspect, and damaged only if the next round says so too: the watermark of that round is a commit of
 * its own, which returns after those before it.
 *
 * **Busy entities.** One that changes in every round is proved by the outbox: its record has a version that the row
 * went through between (1) and (4), and the content
 * that the outbox has for it.
 *
 * **No snapshot.** The argument is about one entity at a time, so the rows need not be of one moment, and no
 * transaction holds back vacuum. What it needs is that the server did not
 * crash between (2) and (4), because a slot may then confirm less than before and the relay may publish older events
 * again: all statements go over one connection, which a crash ends.
 */
export async function verifyAggregate(
  comparison: Comparison,
  ports: VerifyPorts,
  now: () => number = () => performance.now(),
): Promise<Verification> {
  const startedMs = now();
  const view = new TopicView(comparison.topic, comparison.partitions);
  await ports.readTopic(view);
  const rows = await compareFirst(view.index, ports);
  const candidates = countOf(view.index, 'candidate');
  let open = candidates;
  let rounds = 0;
  let delivery: Delivery = { isPassed: true };
  while (open > 0 && rounds < comparison.maxRounds) {
    rounds += 1;
    delivery = await ports.passWatermark();
    if (!delivery.isPassed) break;
    await ports.readTopic(view);
    open = await decideOpen(view.index, ports);
  }
  const findings = collect(view, comparison.maxIds);
  return {
    view,
    verdict: {
      aggregate: comparison.aggregate,
      topic: comparison.topic,
      state: stateOf(findings, open),
      compared: view.index.size,
      rows,
      findings,
      undecided: open,
      undecidedWhy: open === 0 ? undefined : undecidedWhy(delivery, rounds),
      behindBytes: delivery.isPassed ? undefined : delivery.behindBytes,
      candidates,
      rounds,
      durationMs: Math.round(now() - startedMs),
    },
  };
}

/** The first look at every entity. */
async function compareFirst(index: EntityIndex, ports: VerifyPorts): Promise<Verdict['rows']> {
  const count = { live: 0, deleted: 0 };
  await ports.scanRows((rows) => {
    for (const { id, row } of rows) {
      count[row.form] += 1;
      // Nothing on either side: a deleted entity whose tombstone is gone. It needs no place in the index.
      const entry = row.form === 'live' ? index.entryOf(id) : index.find(id);
      if (entry === undefined) continue;
      index.setRow(entry, row);
      if (compareStates(index.recordOf(entry), row)) index.mark(entry, 'candidate');
    }
  });
  for (const entry of index.entries())
    if (
      index.rowOf(entry).form === 'none' &&
      compareStates(index.recordOf(entry), { form: 'none' })
    )
      index.mark(entry, 'candidate');
  return count;
}

/** One round. @returns how many are still open. */
async function decideOpen(index: EntityIndex, ports: VerifyPorts): Promise<number> {
  // Both are listed first: what becomes a suspect or a candidate in this round is for the next.
  const suspects = [...index.marked('suspect')];
  const candidates = [...index.marked('candidate')];
  let open = 0;
  for (const entries of chunks(suspects)) open += await decideChunk(index, ports, entries, true);
  for (const entries of chunks(candidates)) open += await decideChunk(index, ports, entries, false);
  return open;
}

async function decideChunk(
  index: EntityIndex,
  ports: VerifyPorts,
  entries: readonly EntityId[],
  wasSuspect: boolean,
): Promise<number> {
  const ids = entries.flatMap((entry) =>
    index.isForeign(entry) ? [] : [index.keyOf(entry) ?? ''],
  );
  const rows = ids.length === 0 ? new Map<string, RowState>() : await ports.readRows(ids);
  let open = 0;
  const busy: { entry: EntityId; after: RowState }[] = [];
  for (const entry of entries) {
    const after = rows.get(index.keyOf(entry) ?? '') ?? { form: 'none' };
    const decision: Decision = decide(index.rowOf(entry), index.recordOf(entry), after, {
      wasSuspect,
    });
    if (decision === 'busy') busy.push({ entry, after });
    else index.mark(entry, decision === 'same' ? 'clear' : decision);
    if (decision === 'suspect') open += 1;
  }
  return open + (await proveBusy(index, ports, busy));
}

/** @returns how many could not be proved: they are candidates again, with the row as it is now. */
async function proveBusy(
  index: EntityIndex,
  ports: VerifyPorts,
  busy: readonly { readonly entry: EntityId; readonly after: RowState }[],
): Promise<number> {
  const claims: EntityVersion[] = [];
  for (const { entry, after } of busy) {
    const record = index.recordOf(entry);
    if (record.form === 'value' && isWithin(index.rowOf(entry), record.version, after))
      claims.push({ id: index.keyOf(entry) ?? '', version: record.version });
  }
  const hashes = claims.length === 0 ? undefined : await ports.outboxHashes(claims);
  let open = 0;
  for (const { entry, after } of busy) {
    const record = index.recordOf(entry);
    const isProved =
      record.form === 'value' &&
      isWithin(index.rowOf(entry), record.version, after) &&
      (hashes?.get(index.keyOf(entry) ?? '') ?? []).some((hash) => isSameHash(hash, record.hash));
    index.setRow(entry, earlier(after));
    index.mark(entry, isProved ? 'clear' : 'candidate');
    if (!isProved) open += 1;
  }
  return open;
}

function collect(view: TopicView, maxIds: number) {
  const collector = new FindingsCollector(maxIds);
  for (const kind of differenceKinds)
    for (const entry of view.index.marked(kind)) collector.add(kind, view.index.keyOf(entry));
  for (const place of view.misplaced()) collector.add('misplaced', place);
  return collector.findings();
}

function undecidedWhy(delivery: Delivery, rounds: number): string {
  if (!delivery.isPassed) return delivery.why;
  return `they changed in each of ${rounds} rounds, or a difference was seen in the last one only: verify again`;
}

function earlier(row: RowState): EarlierRow {
  return row.form === 'live' ? { form: 'live', version: row.version } : row;
}

function countOf(index: EntityIndex, mark: 'candidate'): number {
  let count = 0;
  for (const _ of index.marked(mark)) count += 1;
  return count;
}

function* chunks<Item>(items: readonly Item[]): Generator<readonly Item[]> {
  for (let at = 0; at < items.length; at += chunkLength) yield items.slice(at, at + chunkLength);
}

import { bytesText } from '@outbound/service-kit';
import { durationText } from '../backfill/pace.ts';

/** What a recovery would do. */
export interface RecoverPreview {
  readonly slot: string;
  readonly why: string;
  readonly recordsRead: number;
  readonly missingEvents: number;
  readonly missingEntities: number;
  readonly uncoveredEntities: number;
  readonly waitingEvents: number;
  readonly overtakenKeys: number;
  /** About how much log it takes. */
  readonly logBytes: number;
  /** The new slot follows failovers. */
  readonly failover: boolean;
  /** By which others read the same outbox. */
  readonly otherSlots: readonly string[];
}

/** The preview for people. */
export function previewText(preview: RecoverPreview): string {
  const { slot, why, recordsRead, missingEvents, missingEntities, uncoveredEntities } = preview;
  const { waitingEvents, overtakenKeys, otherSlots } = preview;
  return [
    `slot "${slot}" ${why}`,
    `${recordsRead} records read; ${missingEvents} retained events of ${missingEntities} entities are not in all of their topics and will be published again, in order`,
    ...(uncoveredEntities === 0
      ? []
      : [
          `${uncoveredEntities} entities have a change whose event is no longer in the outbox: what they are now will be emitted`,
        ]),
    ...(waitingEvents === 0
      ? []
      : [`${waitingEvents} events wait in dead letters; what the relay holds back stays there`]),
    ...(overtakenKeys === 0
      ? []
      : [
          `${overtakenKeys} parked keys miss an event that is older than their dead letters: those are given up, and their events come again in order`,
        ]),
    ...(otherSlots.length === 0 || missingEvents + uncoveredEntities === 0
      ? []
      : [
          `the slots ${otherSlots.join(', ')} read this outbox, too: what is written again comes again in their topics, with the same event ids, each entity ending with its newest version; apply by event id or version there`,
        ]),
    `writers wait for about ${durationText(Math.max(1, missingEvents / copiesPerSecond))} meanwhile; it takes about ${bytesText(preview.logBytes)} of log, which Postgres keeps until the relay has read it`,
  ].join('\n');
}

/** Events that a Postgres writes again in a second, at the least: measured with 500 bytes each. */
const copiesPerSecond = 10_000;

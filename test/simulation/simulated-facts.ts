import { outboxColumns, typeOid } from '../../services/relay/src/wal/outbox-table.ts';
import type { SourceFacts } from '../../services/relay/src/wal/source-facts.ts';
import type { SimulatedPostgres } from './simulated-postgres.ts';

const typeOids: ReadonlyMap<string, number> = new Map([
  ['payload', typeOid.json],
  ['created_at', typeOid.timestamptz],
]);

/** What a relay finds out about the server before it opens a stream: all as it should be, but for the slot and a server in recovery. */
export function factsOf({
  identity,
  slot,
  isStandby,
  confirmedLsn,
  log,
}: SimulatedPostgres): SourceFacts {
  const { systemIdentifier, database } = identity;
  return {
    server: {
      versionNumber: 180_004,
      isStandby,
      walLevel: 'logical',
      maxWalSenders: 10,
      role: 'outbound_relay',
      mayReplicate: true,
      database,
      systemIdentifier,
    },
    outbox: {
      kind: 'r',
      isUnlogged: false,
      columns: outboxColumns.map((name) => ({ name, typeOid: typeOids.get(name) ?? typeOid.text })),
    },
    publication: {
      publishesInsert: true,
      viaRoot: true,
      outbox: { columns: outboxColumns, hasRowFilter: false },
    },
    slot:
      slot === 'dropped'
        ? undefined
        : {
            kind: 'logical',
            plugin: 'pgoutput',
            database,
            isTemporary: false,
            isTwoPhase: false,
            activePid: null,
            activeAddress: null,
            walStatus: slot === 'lost' ? 'lost' : 'reserved',
            invalidationReason: slot === 'lost' ? 'wal_removed' : null,
            confirmedFlushLsn: confirmedLsn,
            flushedLsn: log.endLsn,
          },
    recordedOn: systemIdentifier,
  };
}

import { defaultOutboxTable } from '../../services/relay/src/wal/outbox-table.ts';
import type { SenderActivity } from '../../services/relay/src/wal/sender-life.ts';
import { judgeSource, type SlotAction } from '../../services/relay/src/wal/source-checks.ts';
import type { SourceFacts } from '../../services/relay/src/wal/source-facts.ts';
import type { Life } from './life.ts';
import type { MemoryLedger } from './memory-ledger.ts';
import type { PgoutputEncoder } from './pgoutput-encoder.ts';
import type { SimulatedPostgres } from './simulated-postgres.ts';

/** What a simulated relay needs for its end of a connection. */
export interface SimulatedStreamOptions {
  readonly postgres: SimulatedPostgres;
  readonly life: Life;
  readonly encoder: PgoutputEncoder;
  readonly memory?: MemoryLedger | undefined;
  /** What the relay takes the server's activity for; defaults to what it is. A planted bug knows better. */
  readonly activityOf?: (activity: SenderActivity | undefined) => SenderActivity | undefined;
  /** What the relay makes of what it finds before it opens a stream; defaults to its own. */
  readonly judge?: (facts: SourceFacts) => SlotAction;
  /** Told when the server works without a word for so long; undefined: it sends again. */
  readonly onSilence?: (silentMs: number | undefined) => void;
}

/** What the server says of its process, as it is. */
export function asTold(activity: SenderActivity | undefined): SenderActivity | undefined {
  return activity;
}

/** What the relay makes of what it finds. */
export function judgeFacts(facts: SourceFacts): SlotAction {
  return judgeSource(facts, {
    slot: 'outbound',
    publication: 'outbound',
    outbox: defaultOutboxTable,
  });
}

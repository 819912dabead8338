import type { SlotHealth } from '@outbound/service-kit';
import type { ConnectionSettings } from './connection-config.ts';
import { Sentinel } from './sentinel.ts';
import { readSlotHealth } from './slot-health.ts';

/** Port: what Postgres says of the slot. In-memory form: the simulator's. */
export interface SlotQuestion {
  /** Undefined if there is no such slot. @throws RelayError if the server cannot be asked. */
  ask(): Promise<SlotHealth | undefined>;
  close(): void;
}

/** The real question, on a connection of its own, which is opened at the first one and kept. */
export function slotQuestion(connection: ConnectionSettings, slot: string): SlotQuestion {
  let sentinel: Sentinel | undefined;
  return {
    ask: async () => {
      sentinel ??= await Sentinel.open(
        { ...connection, applicationName: 'outbound-relay-monitor' },
        () => undefined,
      );
      return sentinel.ask('reading the health of the slot', (client) =>
        readSlotHealth(client, slot),
      );
    },
    close: () => sentinel?.close(),
  };
}

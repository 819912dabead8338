import { createRequire } from 'node:module';
import { ConsumerError } from './errors.ts';

/** The release whose insides were read; another one may have mended this, or broken it in another way. */
const provenVersion = '2.2.4';

interface RequestQueue {
  readonly clientId: string;
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests(): void;
}

const quietClientIds = new Set<string>();
let isPatched = false;

/**
 * Stops the timer that wakes up every millisecond, for ever, on each connection that kafkajs has used once: from now on nothing is
 * scheduled while nothing waits, on the connections of this client id. What waits (a throttled broker) is still looked after. Only
 * the prototype can be reached: kafkajs gives no connection out.
 * @throws ConsumerError KAFKAJS_VERSION if another version is installed.
 */
export function quietIdleTimer(
  clientId: string,
  load: (path: string) => unknown = createRequire(import.meta.url),
): void {
  if (!isPatched) {
    const { version } = load('kafkajs/package.json') as { version: string };
    if (version !== provenVersion)
      throw new ConsumerError(
        'KAFKAJS_VERSION',
        `kafkajs is ${version}, and what is relied on here was proven with ${provenVersion}: install the version of the lock file`,
      );
    const { prototype } = load('kafkajs/src/network/requestQueue') as { prototype: RequestQueue };
    // eslint-disable-next-line @typescript-eslint/unbound-method -- called with its receiver below
    const schedule = prototype.scheduleCheckPendingRequests;
    prototype.scheduleCheckPendingRequests = function () {
      if (this.pending.length > 0 || !quietClientIds.has(this.clientId)) schedule.call(this);
    };
    isPatched = true;
  }
  quietClientIds.add(clientId);
}

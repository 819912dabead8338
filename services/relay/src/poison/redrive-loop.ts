import type { Clock, Logger } from '@outbound/service-kit';
import { toRelayError } from '../errors.ts';
import { redriveKnown, type RedrivePorts } from './redrive-known.ts';
import { RedriveTries } from './redrive-tries.ts';

const pollMs = 5000;

/**
 * Looks every five seconds, until the signal aborts, whether keys wait for this relay, and writes their letters
 * again. Never rejects.
 */
export async function redriveLoop(
  {
    clock,
    logger,
    ports,
  }: { readonly clock: Clock; readonly logger: Logger; readonly ports: RedrivePorts },
  signal: AbortSignal,
): Promise<void> {
  const tries = new RedriveTries();
  while (!signal.aborted) {
    await clock.sleep(pollMs, signal);
    try {
      const keys = await redriveKnown({ ...ports, signal }, tries);
      if (keys > 0)
        logger.info(
          { component: 'redrive', keys },
          'the dead letters of keys that waited for a relay that knows their type are written again',
        );
    } catch (thrown) {
      if (signal.aborted) return;
      const error = toRelayError(thrown);
      logger.warn(
        { component: 'redrive', code: error.code, error },
        'dead letters could not be written again; the next look tries it anew',
      );
    }
  }
}

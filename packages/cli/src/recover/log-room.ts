import { bytesText } from '@outbound/service-kit';
import { CliError, exitCodes } from '../exit-codes.ts';

/** Of the most log that the server keeps for a slot, so much may be taken at once; the rest is for what comes until the relay has read it. */
const share = 0.75;

/**
 * Refuses a recovery whose own log would cost the new slot: the server keeps what is written again until a relay has read it, and gives a slot up, or ends the session
 * that holds it, when that is more than `max_slot_wal_keep_size`. Pure.
 * @param limitBytes the most log that the server keeps for a slot; undefined without a limit.
 * @throws CliError LOG_LIMIT_TOO_LOW: nothing was changed.
 */
export function refuseTooMuchLog(logBytes: number, limitBytes: number | undefined): void {
  if (limitBytes === undefined || logBytes <= limitBytes * share) return;
  const wanted = Math.ceil((logBytes * 2) / (1024 * 1024));
  throw new CliError(
    'LOG_LIMIT_TOO_LOW',
    `what is missing takes about ${bytesText(logBytes)} of log, and Postgres keeps no more than ${bytesText(limitBytes)} for a slot, so it would give the new one up before a relay has read it: ` +
      `alter system set max_slot_wal_keep_size = '${wanted}MB', select pg_reload_conf(), then try again, and set it back when the relay has caught up; nothing was changed`,
    { exitCode: exitCodes.usage },
  );
}

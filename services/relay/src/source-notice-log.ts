import { LineLimit, type Logger } from '@outbound/service-kit';
import type { SourceNotice } from './wal/postgres-source.ts';

/** A server says again with every look what it waits for. */
const repeatMs = 60_000;

/** Writes what the source has to tell into the log; the same warning of the server once a minute. */
export function createNoticeLog(
  logger: Logger,
  nowMs: () => number = () => performance.now(),
): (notice: SourceNotice) => void {
  const log = logger.child({ component: 'source' });
  const limit = new LineLimit({ everyMs: repeatMs, nowMs });
  return (notice) => {
    switch (notice.kind) {
      case 'slot-created':
        return log.info(
          { slot: notice.slot },
          'replication slot created: changes are kept for us from here',
        );
      case 'slot-adopted':
        return log.warn(
          { slot: notice.slot },
          'a slot that this relay has not created is used from now on',
        );
      case 'slot-creation-waits':
        return log.warn(
          { slot: notice.slot, blocker: notice.blocker },
          'creating the slot waits for a running transaction',
        );
      case 'server-silent': {
        if (notice.silentMs === undefined) return log.info('the server sends again');
        const line = limit.admit('silent');
        if (line)
          log.warn(
            { silentMs: Math.round(notice.silentMs), ...line },
            'the server decodes and has sent nothing for long: a big transaction, or one with many savepoints; it is waited for',
          );
        return;
      }
      case 'server-warning': {
        const line = limit.admit(notice.message);
        if (line) log.warn({ warning: notice.message, ...line }, 'Postgres warns');
        return;
      }
    }
  };
}

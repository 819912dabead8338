import type { Logger } from '@outbound/service-kit';
import type { SourceNotice } from './wal/postgres-source.ts';

/** Writes what the source has to tell into the log. */
export function createNoticeLog(logger: Logger): (notice: SourceNotice) => void {
  const log = logger.child({ component: 'source' });
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
      case 'server-warning':
        return log.warn({ warning: notice.message }, 'Postgres warns');
    }
  };
}

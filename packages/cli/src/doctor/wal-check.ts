import { walText, type WalVerdict } from '@outbound/service-kit';
import { fault, ok, warning, type Finding } from './finding.ts';

const check = 'retained log';

/** What the log that is kept for the slot means; nothing where there is no slot, or where it is lost: its own check says so. Pure. */
export function judgeRetainedLog(verdict: WalVerdict): readonly Finding[] {
  const { state, health, holder } = verdict;
  if (!health || state === 'lost' || state === 'unknown') return [];
  const says = walText(verdict);
  if (state === 'ok') return [ok(check, says)];
  const room = 'raise max_slot_wal_keep_size and reload, if the disk has room, to win time';
  const fix = holder ? `${holder.remedy}; ${room}` : room;
  return [state === 'warn' ? warning(check, says, fix) : fault(check, says, fix)];
}

import { CliError, exitCodes } from '../exit-codes.ts';
import { parseMoment } from './group-plan.ts';

/** What the command line says of the events that are wanted. */
export interface EventFilterOptions {
  readonly key?: readonly string[];
  readonly from?: string;
  readonly to?: string;
  readonly eventType?: string;
}

/** Which retained events: all conditions hold. Times are of the outbox row's creation, `to` excluded. */
export interface EventFilter {
  readonly keys: readonly string[] | null;
  readonly from: Date | null;
  readonly to: Date | null;
  readonly eventType: string | null;
}

/** @throws CliError FILTER_MISSING, PLACE_INVALID, exit 2 */
export function eventFilter({ key, from, to, eventType }: EventFilterOptions): EventFilter {
  if (key === undefined && from === undefined && to === undefined && eventType === undefined)
    throw new CliError(
      'FILTER_MISSING',
      'say which events: --key, --event-type, or --from and --to',
      { exitCode: exitCodes.usage },
    );
  return {
    keys: key ?? null,
    from: from === undefined ? null : new Date(parseMoment('--from', from)),
    to: to === undefined ? null : new Date(parseMoment('--to', to)),
    eventType: eventType ?? null,
  };
}

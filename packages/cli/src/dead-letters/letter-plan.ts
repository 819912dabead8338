import { discardRow, redriveRow, type OutboxRowText } from '@outbound/contract';
import type { WaitingKey } from './waiting-keys.ts';

/** What a redrive will do to a key. */
export interface RedrivePlan {
  readonly key: WaitingKey;
  /** In order, from the first letter that waits. */
  readonly rows: readonly OutboxRowText[];
  /** Why it ends before the last letter; undefined if it does not. */
  readonly stopsAt: string | undefined;
}

/** The letters of a key as rows, up to the first that cannot go again: what stands behind it has to wait for it. */
export function redrivePlan(key: WaitingKey): RedrivePlan {
  const rows: OutboxRowText[] = [];
  for (const letter of key.letters) {
    const row = letter.code === 'EVENT_MALFORMED' ? undefined : redriveRow(letter);
    if (row) rows.push(row);
    else {
      const why =
        letter.leftOutBytes === undefined
          ? 'it is no event that the relay can read'
          : `its ${letter.leftOutBytes} bytes were too large for the dead-letter topic`;
      return {
        key,
        rows,
        stopsAt: `letter ${letter.number} (event ${letter.eid}) cannot go again: ${why}; discard`,
      };
    }
  }
  const known = key.state.done + key.letters.length;
  return {
    key,
    rows,
    stopsAt:
      known < key.state.count
        ? `letter ${known + 1} of ${key.state.count} is not in the dead-letter topic (any more); discard`
        : undefined,
  };
}

/** The row that gives up all letters of a key; `eid` is a new id for it. */
export function discardAllRow(
  { state, aggregateId, aggregateType, letters }: WaitingKey,
  eid: string,
): OutboxRowText {
  const [letter] = letters;
  const { since, count: number, type } = state;
  return discardRow(
    {
      ...{
        reason: '',
        code: '',
        message: '',
        at: '',
        leftOutBytes: undefined,
        payload: null,
        headers: '{}',
        dataOp: 'S',
      },
      ...{ eid, aggregateId, aggregateType, since, number },
      type: letter?.type ?? type,
      version: letter?.version ?? '1',
    },
    eid,
  );
}

import type { Output } from '../console/output.ts';
import type { WaitingKey } from './waiting-keys.ts';

/** The keys for `--json`. */
export function keysJson(keys: readonly WaitingKey[]) {
  return keys.map(({ aggregateType, aggregateId, state }) => {
    const { since: _, done, count, ...facts } = state;
    return { aggregateType, key: aggregateId, waiting: count - done, ...facts };
  });
}

/** A line for each parked key. */
export function keysText(output: Output, keys: readonly WaitingKey[]): string {
  if (keys.length === 0) return 'no key is parked';
  return output.table(
    ['type', 'key', 'waiting', 'cause', 'first event', 'since'],
    keys.map(({ aggregateType, aggregateId, state }) => [
      aggregateType,
      aggregateId,
      String(state.count - state.done),
      state.code,
      state.firstEid,
      state.at,
    ]),
  );
}

/** A line for each letter; with `withPayload` what is in each behind all of them. */
export function lettersText(
  output: Output,
  keys: readonly WaitingKey[],
  { withPayload }: { readonly withPayload: boolean },
): string {
  const letters = keys.flatMap((key) => key.letters);
  if (letters.length === 0) return 'no letter waits';
  const table = output.table(
    ['key', 'no.', 'event', 'type', 'version', 'op', 'bytes', 'cause', 'message'],
    letters.map((letter) => [
      letter.aggregateId,
      String(letter.number),
      letter.eid,
      letter.type,
      letter.version,
      letter.dataOp,
      String(letter.payload?.length ?? letter.leftOutBytes ?? 0),
      letter.code,
      letter.message.slice(0, 100),
    ]),
  );
  const payloads = withPayload
    ? letters.flatMap(({ eid, payload }) => [`event ${eid}:`, payload?.toString() ?? '(none)'])
    : [];
  return [table, ...payloads].join('\n');
}

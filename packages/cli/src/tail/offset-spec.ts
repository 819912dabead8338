import { CliError, exitCodes } from '../exit-codes.ts';

/** Where reading begins. */
export type OffsetSpec =
  | { readonly kind: 'beginning' }
  | { readonly kind: 'end' }
  /** The same offset in every partition. */
  | { readonly kind: 'offset'; readonly offset: bigint }
  /** So many offsets before the end of every partition; of a compacted topic fewer records. */
  | { readonly kind: 'last'; readonly count: bigint }
  /** The first record at or after this moment, milliseconds since 1970. */
  | { readonly kind: 'time'; readonly timeMs: number };

/**
 * Reads kcat's `-o`: `beginning`, `end`, `-N`, `N`; and `@TIME` with RFC 3339, a date, or milliseconds since 1970.
 * @throws CliError OFFSET_INVALID, exit 2
 */
export function parseOffsetSpec(text: string): OffsetSpec {
  if (text === 'beginning' || text === 'end') return { kind: text };
  if (/^\d{1,18}$/.test(text)) return { kind: 'offset', offset: BigInt(text) };
  if (/^-[1-9]\d{0,17}$/.test(text)) return { kind: 'last', count: BigInt(text.slice(1)) };
  if (text.startsWith('@')) return { kind: 'time', timeMs: parseTime(text.slice(1)) };
  throw invalid(text);
}

/**
 * The offset to begin at in one partition, within what is still there.
 * @param atTime the partition's offset at the moment, for `time`
 */
export function startOffset(
  spec: OffsetSpec,
  { low, high }: { readonly low: bigint; readonly high: bigint },
  atTime?: bigint,
): bigint {
  const wanted = () => {
    switch (spec.kind) {
      case 'beginning':
        return low;
      case 'end':
        return high;
      case 'offset':
        return spec.offset;
      case 'last':
        return high - spec.count;
      case 'time':
        return atTime ?? high;
    }
  };
  const offset = wanted();
  return offset < low ? low : offset > high ? high : offset;
}

function parseTime(text: string): number {
  // A date alone or a time with its offset: without one it would mean another moment on another machine.
  const timeMs = /^\d{1,15}$/.test(text)
    ? Number(text)
    : /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$/.test(text)
      ? Date.parse(text)
      : Number.NaN;
  if (Number.isNaN(timeMs)) throw invalid(`@${text}`);
  return timeMs;
}

function invalid(text: string): CliError {
  return new CliError(
    'OFFSET_INVALID',
    `-o ${text} is no place to begin: say beginning, end, an offset, -N for the last N, or @TIME with milliseconds since 1970 or RFC 3339 (@2026-03-01T12:00:00Z)`,
    { exitCode: exitCodes.usage },
  );
}

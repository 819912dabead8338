import type { KafkaRecord } from '@outbound/consumer';
import { keyText } from '@outbound/kafka';
import { recordHeader, stringifyJson, type JsonObject, type JsonValue } from '@outbound/contract';
import type { Output } from '../console/output.ts';
import { timestampText } from './record-json.ts';
import { dataOpOf, entityOf, versionOf } from './record-value.ts';
import { anyText, safeText } from './safe-text.ts';

/** How much of a value a line shows, in characters. */
const valueCharacters = 160;

/**
 * A record on one line for a person: time, `partition:offset`, key, data_op, version, size, and the beginning of what
 * the event is about. Whatever the record
 * holds, the line has no control character in it.
 */
export function readableLine(
  record: KafkaRecord,
  value: JsonValue | undefined,
  colors: Output['colors'],
): string {
  const entity = entityOf(value);
  const op = dataOpOf(record, value);
  const version = versionOf(entity);
  const paint =
    { C: colors.green, U: colors.yellow, D: colors.red, S: colors.cyan }[op ?? ''] ?? String;
  return [
    colors.dim(timestampText(record.timestampMs) ?? 'no time'),
    `${record.partition}:${record.offset}`,
    colors.bold(record.key === null ? '(no key)' : safeText(keyText(record.key))),
    paint(op === undefined ? '-' : safeText(op)),
    version === undefined ? '-' : `v${version}`,
    ...(record.headers[recordHeader.replay] === 'true' ? [colors.magenta('replay')] : []),
    ...(record.value === null
      ? [colors.red('tombstone')]
      : [sizeText(record.value.length), colors.dim(shortValue(record.value, entity))]),
  ].join(' ');
}

/** Bytes for people: `812 B`, `1.2 kB`, `3.4 MB`. */
export function sizeText(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 999_950) return `${(bytes / 1000).toFixed(1)} kB`;
  if (bytes < 999_950_000) return `${(bytes / 1_000_000).toFixed(1)} MB`;
  return `${(bytes / 1_000_000_000).toFixed(1)} GB`;
}

/** Of an entity what the line does not say already; of anything else its text. */
function shortValue(value: Buffer, entity: JsonObject | undefined): string {
  const text =
    entity === undefined
      ? anyText(value.subarray(0, 4 * valueCharacters))
      : stringifyJson(
          Object.fromEntries(
            Object.entries(entity).filter(([name]) => name !== 'id' && name !== 'version'),
          ),
        );
  const points = Array.from(safeText(text.slice(0, 2 * valueCharacters)));
  return points.length > valueCharacters || text.length > 2 * valueCharacters
    ? `${points.slice(0, valueCharacters).join('')}…`
    : points.join('');
}

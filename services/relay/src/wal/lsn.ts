/** A byte position in the write-ahead log. Compare with `<`; text (`X/Y`) only at the borders. */
export type Lsn = bigint & { readonly __brand: 'Lsn' };

/** Before every log position; in a status update Postgres reads it as "nothing to say" (walsender.c). */
export const noLsn = 0n as Lsn;

/**
 * Reads Postgres' text form, `16/B374D848`: two hexadecimal halves of 32 bits.
 * @throws RangeError with the text, if it is not one.
 */
export function lsnFromText(text: string): Lsn {
  const match = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(text);
  if (!match) throw new RangeError(`"${text}" is not a log position; it looks like 16/B374D848`);
  return ((BigInt(`0x${match[1]}`) << 32n) | BigInt(`0x${match[2]}`)) as Lsn;
}

/** Postgres' text form, upper case, not padded: what `pg_lsn` prints. */
export function lsnToText(lsn: Lsn): string {
  return `${(lsn >> 32n).toString(16).toUpperCase()}/${(lsn & 0xffffffffn).toString(16).toUpperCase()}`;
}

/** The eight bytes of a protocol field, big-endian. */
export function lsnFromBytes(bytes: Buffer, offset: number): Lsn {
  return bytes.readBigUInt64BE(offset) as Lsn;
}

export function maxLsn(a: Lsn, b: Lsn): Lsn {
  return a > b ? a : b;
}

import { createRequire } from 'node:module';
import { sealed } from './sealed.ts';

const load: (path: string) => unknown = createRequire(import.meta.url);
const messageOf = load('kafkajs/src/protocol/message') as (options: {
  version: number;
}) => (message: object) => { readonly buffer: Buffer };

export interface TestMessage {
  readonly magic: 0 | 1;
  readonly offset: number;
  readonly codec?: number;
  readonly timestamp?: number;
  readonly isLogAppendTime?: boolean;
  readonly key?: string | null;
  readonly value: string | Buffer | null;
}

/** A message of version 0 or 1 with its offset and length, by kafkajs' encoder. */
export function encodedMessage({
  magic,
  offset,
  codec = 0,
  timestamp = 0,
  isLogAppendTime = false,
  key = null,
  value,
}: TestMessage): Buffer {
  const { buffer } = messageOf({ version: magic })({ compression: codec, timestamp, key, value });
  const prefix = Buffer.alloc(12);
  prefix.writeBigInt64BE(BigInt(offset), 0);
  prefix.writeInt32BE(buffer.length, 8);
  const bytes = Buffer.concat([prefix, buffer]);
  if (!isLogAppendTime) return bytes;
  bytes.writeInt8(bytes.readInt8(17) | 0x08, 17);
  return sealed(bytes);
}

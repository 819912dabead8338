import { hash } from 'node:crypto';

/** 48 bits of a content's SHA-1: tells contents apart by accident, not by malice, and fits into a number. */
export type ContentHash = number;

export function contentHash(bytes: Uint8Array | string): ContentHash {
  return hash('sha1', bytes, 'buffer').readUIntBE(0, 6);
}

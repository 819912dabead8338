import { hash } from 'node:crypto';

/** 48 bits of a content's SHA-1: tells contents apart by accident, not by malice, and fits into a number. */
export type ContentHash = number;

export function contentHash(bytes: Uint8Array | string): ContentHash {
  // As text it takes half the time that a buffer does.
  return parseInt(hash('sha1', bytes, 'hex').slice(0, 12), 16);
}

import * as zlib from 'node:zlib';
import { ZSTDDecoder } from 'zstddec';
import { Unreadable } from '../unreadable.ts';
import { largestBatchBytes, tooLarge } from './codec-limits.ts';
import { zstdFrames, type ZstdFrame } from './zstd-frames.ts';

interface NodeWithZstd {
  /** From Node 22.15 on. */
  readonly zstdDecompressSync?: (bytes: Buffer, options: { maxOutputLength: number }) => Buffer;
}

const { zstdDecompressSync } = zlib as NodeWithZstd;

let decoder: { readonly decoder: ZSTDDecoder; readonly ready: Promise<void> } | undefined;

/** Resolves when `unzstd` may be called: where Node has no zstd of its own, a WebAssembly module is compiled once. */
export async function zstdReady(): Promise<void> {
  if (zstdDecompressSync) return;
  if (!decoder) {
    const made = new ZSTDDecoder();
    decoder = { decoder: made, ready: made.init() };
  }
  await decoder.ready;
}

/**
 * Decompresses one zstd frame or several. **Order**: `zstdReady` has resolved.
 * @throws Unreadable for what is no whole frame, or becomes more than `largestBatchBytes`; Node's error
 */
export function unzstd(bytes: Buffer): Buffer {
  const pieces: Buffer[] = [];
  let total = 0;
  for (const frame of zstdFrames(bytes)) {
    const piece = unframe(frame, largestBatchBytes - total);
    total += piece.length;
    pieces.push(piece);
  }
  const [only] = pieces;
  return only !== undefined && pieces.length === 1 ? only : Buffer.concat(pieces, total);
}

function unframe({ bytes, bound }: ZstdFrame, room: number): Buffer {
  if (bound === 0) return Buffer.alloc(0);
  const maxOutputLength = Math.min(bound, room);
  if (maxOutputLength === 0) throw tooLarge();
  if (zstdDecompressSync) return zstdDecompressSync(bytes, { maxOutputLength });
  if (!decoder) throw new Error('zstd is decompressed before zstdReady has resolved');
  const found = decoder.decoder.decode(bytes, maxOutputLength);
  // All that the library says of bytes that it refuses.
  if (found.length === 0)
    throw bound > room ? tooLarge() : new Unreadable('its zstd frame is broken');
  return Buffer.from(found.buffer, found.byteOffset, found.byteLength);
}

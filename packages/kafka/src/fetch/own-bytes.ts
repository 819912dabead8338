/**
 * The same bytes, which keep at most twice as much in memory as they are: a copy, where they are a small part of something larger. A
 * partition's part of an answer would otherwise keep what came for all the others.
 */
export function ownBytes(bytes: Buffer): Buffer {
  if (bytes.buffer.byteLength <= bytes.byteLength * 2) return bytes;
  const own = Buffer.allocUnsafeSlow(bytes.byteLength);
  bytes.copy(own);
  return own;
}

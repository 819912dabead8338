/** What is used of lz4js, which has no types of its own. */
declare module 'lz4js' {
  /** An upper bound of what the frame decompresses to, from its head and the sizes of its blocks. @throws Error for bytes that are no LZ4 frame */
  export function decompressBound(frame: Uint8Array): number;
  export function decompress(frame: Uint8Array, mostBytes?: number): Uint8Array;
  export function compress(bytes: Uint8Array): Uint8Array;
}

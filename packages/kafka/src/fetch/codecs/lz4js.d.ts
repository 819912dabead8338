/** What is used of lz4js, which has no types of its own. */
declare module 'lz4js' {
  /**
   * Decompresses a block and gives where it ended in `to`. It looks at no bounds: what it writes behind the end of `to` is lost, and of a damaged block it
   * may be 255 times its length.
   */
  export function decompressBlock(
    from: Uint8Array,
    to: Uint8Array,
    fromAt: number,
    length: number,
    toAt: number,
  ): number;
  export function compress(bytes: Uint8Array): Uint8Array;
}

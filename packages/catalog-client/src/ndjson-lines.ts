/** Longest line, in characters: more than an entity may have. */
const maxLineLength = 4 * 1_024 * 1_024;

/** The lines of a stream of text, without empty ones; what comes behind the last line feed is none. @throws what reading throws; Error for a line without an end */
export async function* ndjsonLines(
  stream: ReadableStream<Uint8Array>,
): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let rest = '';
  for await (const bytes of stream) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > maxLineLength) throw new Error('a line is longer than any entity');
    for (const line of lines) if (line.trim() !== '') yield line;
  }
}

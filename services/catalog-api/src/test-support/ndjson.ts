import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import { once } from 'node:events';

/** The lines of a text, parsed as JSON.parse does. */
export function linesOf(text: string): readonly Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** An import whose body is written bit by bit. */
export interface OpenImport {
  readonly request: ClientRequest;
  readonly answer: Promise<IncomingMessage>;
  /** Writes, and waits until the kernel has it. */
  readonly write: (body: string | Uint8Array) => Promise<void>;
  /** All that comes until the end, and whether the body came whole. */
  readonly rest: () => Promise<{ readonly text: string; readonly isWhole: boolean }>;
}

export function openImport(
  url: string,
  headers: Readonly<Record<string, string>> = {},
): OpenImport {
  const sent = request(`${url}/products/import`, {
    method: 'POST',
    agent: false,
    headers: { 'content-type': 'application/x-ndjson', ...headers },
  });
  sent.on('error', () => undefined);
  const answer = once(sent, 'response').then(([response]) => response as IncomingMessage);
  answer.catch(() => undefined);
  return {
    request: sent,
    answer,
    write: (body) => new Promise((resolve) => sent.write(body, () => resolve())),
    rest: async () => readRest(await answer),
  };
}

/** Reads an answer to its end, or to where it broke. */
export async function readRest(
  response: IncomingMessage,
): Promise<{ readonly text: string; readonly isWhole: boolean }> {
  const pieces: Buffer[] = [];
  try {
    for await (const piece of response) pieces.push(piece as Buffer);
  } catch {
    // It broke off: `complete` says so.
  }
  return { text: Buffer.concat(pieces).toString(), isWhole: response.complete };
}

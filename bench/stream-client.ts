import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';

const linesPerWrite = 1_000;

/** Creates products by one import, whose outcomes are read while it is sent. @returns the status of each line. @throws Error if it broke off. */
export async function importStream(
  port: number,
  lines: readonly string[],
  { isGzip = false, headers = {} }: { isGzip?: boolean; headers?: Record<string, string> } = {},
): Promise<readonly number[]> {
  const call = request({
    host: '127.0.0.1',
    port,
    method: 'POST',
    path: '/products/import',
    headers: {
      'content-type': 'application/x-ndjson',
      ...(isGzip ? { 'content-encoding': 'gzip' } : {}),
      ...headers,
    },
  });
  const answer = once(call, 'response').then(([response]) => text(response as IncomingMessage));
  const body = Readable.from(pieces(lines));
  const sent = isGzip ? pipeline(body, createGzip(), call) : pipeline(body, call);
  const [outcomes] = await Promise.all([answer, sent]);
  if (!outcomes.includes('{"end":'))
    throw new Error(`the import broke off: ${outcomes.slice(-300)}`);
  return [...outcomes.matchAll(/^\{"line":\d+,"status":(\d+)/gm)].map(([, status]) =>
    Number(status),
  );
}

/** Takes an export. @returns a status for each product. @throws Error if it broke off. */
export async function exportStream(
  port: number,
  headers: Record<string, string> = {},
): Promise<readonly number[]> {
  const call = request({ host: '127.0.0.1', port, path: '/products/export', headers });
  call.end();
  const [response] = (await once(call, 'response')) as [IncomingMessage];
  const isGzip = response.headers['content-encoding'] === 'gzip';
  const lines = await text(isGzip ? response.pipe(createGunzip()) : response);
  const end = /\{"end":\{"count":(\d+)/.exec(lines);
  if (end === null) throw new Error(`the export broke off: ${lines.slice(-300)}`);
  return Array<number>(Number(end[1])).fill(200);
}

function* pieces(lines: readonly string[]): Generator<string> {
  for (let at = 0; at < lines.length; at += linesPerWrite)
    yield `${lines.slice(at, at + linesPerWrite).join('\n')}\n`;
}

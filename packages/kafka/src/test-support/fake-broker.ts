import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { ByteCursor } from '../wire/byte-cursor.ts';
import { ByteWriter } from '../wire/byte-writer.ts';

/** A request as it arrived. */
export interface FakeRequest {
  readonly key: number;
  readonly version: number;
  readonly socket: Socket;
}

/** The body of the answer; a promise: later; undefined: no answer. */
export type FakeAnswer = (request: FakeRequest) => Buffer | Promise<Buffer> | undefined;

/** A broker that says what a test lets it say; it answers ApiVersions by itself. */
export interface FakeBroker {
  readonly address: string;
  /** Kafka's numbers of the requests that came, in order, ApiVersions left out. */
  readonly keys: readonly number[];
  close(): Promise<void>;
}

const apiVersions = 18;

/**
 * @param ranges what it takes, by Kafka's number.
 * @param answers what it answers, by Kafka's number.
 */
export async function startFakeBroker(
  ranges: Readonly<Record<number, readonly [min: number, max: number]>>,
  answers: Readonly<Record<number, FakeAnswer>>,
): Promise<FakeBroker> {
  const keys: number[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let buffered = Buffer.alloc(0);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      buffered = Buffer.concat([buffered, chunk]);
      while (buffered.length >= 4 && buffered.length >= 4 + buffered.readInt32BE(0)) {
        const size = buffered.readInt32BE(0);
        const cursor = new ByteCursor(buffered.subarray(4, 4 + size));
        buffered = buffered.subarray(4 + size);
        const request = { key: cursor.int16(), version: cursor.int16(), socket };
        const correlationId = cursor.int32();
        if (request.key !== apiVersions) keys.push(request.key);
        const answer = (body: Buffer) => {
          const head = new ByteWriter().int32(4 + body.length).int32(correlationId);
          if (!socket.destroyed) socket.write(Buffer.concat([head.written(), body]));
        };
        const body =
          request.key === apiVersions ? rangesOf(ranges) : answers[request.key]?.(request);
        if (body instanceof Promise) body.then(answer, () => socket.destroy());
        else if (body) answer(body);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    keys,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** An answer to ApiVersions, version 1 or 2. */
function rangesOf(ranges: Readonly<Record<number, readonly [number, number]>>): Buffer {
  const writer = new ByteWriter().int16(0);
  return writer
    .array(Object.entries({ [apiVersions]: [0, 2] as const, ...ranges }), ([key, [min, max]]) =>
      writer.int16(Number(key)).int16(min).int16(max),
    )
    .int32(0)
    .written();
}

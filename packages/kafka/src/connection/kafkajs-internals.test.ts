import { once } from 'node:events';
import { createRequire } from 'node:module';
import net from 'node:net';
import { describe, expect, it, vi } from 'vitest';
import { kafkaCode } from '../kafka-errors.ts';
import {
  kafkajsLogger,
  loadKafkajs,
  quietQueue,
  sendEncoded,
  steadyThrottle,
  type Connection,
} from './kafkajs-internals.ts';

const load = createRequire(import.meta.url);

describe('loadKafkajs', () => {
  it('refuses any version but the proven one', async () => {
    // It loads once, and other tests of this process may have loaded it.
    vi.resetModules();
    const fresh = await import('./kafkajs-internals.ts');
    expect(() => fresh.loadKafkajs(() => ({ version: '2.2.5' }))).toThrow(
      'kafkajs is 2.2.5, and what is relied on here are the insides of 2.2.4',
    );
    expect(loadKafkajs()).toBeDefined();
  });
});

interface Queue {
  readonly pending: unknown[];
  readonly inflight: Map<number, unknown>;
  throttledUntil: number;
  push(request: object): void;
  maybeThrottle(ms: number): void;
  fulfillRequest(answer: object): void;
  scheduleCheckPendingRequests(): void;
  destroy(): void;
}
const RequestQueue = load('kafkajs/src/network/requestQueue') as new (options: object) => Queue;
const ignore = () => undefined;
const logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };
const newQueue = () =>
  new RequestQueue({
    maxInFlightRequests: 1,
    requestTimeout: 1000,
    enforceRequestTimeout: false,
    clientId: 'c',
    broker: 'b',
    logger,
  });
const request = (correlationId: number, sent: number[]) => ({
  entry: {
    correlationId,
    apiName: 'x',
    apiKey: 0,
    apiVersion: 0,
    resolve: ignore,
    reject: ignore,
  },
  expectResponse: true,
  sendRequest: () => sent.push(correlationId),
});

describe('quietQueue (trap 3.2-10)', () => {
  function wakeUps(queue: Queue): number {
    vi.useFakeTimers();
    try {
      const sent: number[] = [];
      queue.push(request(1, sent));
      queue.fulfillRequest({ correlationId: 1, payload: null, size: 0 });
      let count = 0;
      const schedule = queue.scheduleCheckPendingRequests.bind(queue);
      queue.scheduleCheckPendingRequests = () => {
        count += 1;
        schedule();
      };
      vi.advanceTimersByTime(1000);
      expect(sent).toEqual([1]);
      return count;
    } finally {
      queue.destroy();
      vi.useRealTimers();
    }
  }

  it('lets an idle connection sleep, where kafkajs wakes up every millisecond', () => {
    const quiet = newQueue();
    quietQueue(quiet);
    expect(wakeUps(quiet)).toBe(0);
    expect(wakeUps(newQueue())).toBeGreaterThan(500);
  });

  it('still sends what a throttled broker held back, and what waited for the one in flight', () => {
    vi.useFakeTimers();
    try {
      const queue = newQueue();
      quietQueue(queue);
      const sent: number[] = [];
      queue.throttledUntil = Date.now() + 200;
      queue.push(request(1, sent));
      queue.push(request(2, sent));
      vi.advanceTimersByTime(150);
      expect(sent).toEqual([]);
      vi.advanceTimersByTime(100);
      expect(sent).toEqual([1]);
      queue.fulfillRequest({ correlationId: 1, payload: null, size: 0 });
      expect(sent).toEqual([1, 2]);
      queue.destroy();
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('steadyThrottle', () => {
  /** For how long a throttle of 200 ms holds a request back, where the wall clock is set back an hour meanwhile. */
  function heldBackMs(guard: (queue: { throttledUntil: number }) => void): number {
    vi.useFakeTimers();
    try {
      const queue = newQueue();
      quietQueue(queue);
      guard(queue);
      queue.maybeThrottle(200);
      const sent: number[] = [];
      queue.push(request(1, sent));
      vi.setSystemTime(Date.now() - 3_600_000);
      let waitedMs = 0;
      for (; sent.length === 0 && waitedMs < 5000; waitedMs += 50) vi.advanceTimersByTime(50);
      queue.destroy();
      return waitedMs;
    } finally {
      vi.useRealTimers();
    }
  }

  it('lets no clock that is set back hold a connection back for hours, as kafkajs does', () => {
    expect(heldBackMs(steadyThrottle)).toBeLessThanOrEqual(250);
    expect(heldBackMs(() => undefined)).toBe(5000);
  });

  it('holds nothing back without a throttle', () => {
    const queue = newQueue();
    steadyThrottle(queue);
    const sent: number[] = [];
    queue.push(request(1, sent));
    expect(sent).toEqual([1]);
    queue.destroy();
  });
});

describe('sendEncoded', () => {
  it('puts the bytes on the wire that kafkajs would, takes the answer, and heeds the wish to be left alone', async () => {
    const frames: Buffer[] = [];
    const server = net.createServer((socket) => {
      let buffered = Buffer.alloc(0);
      socket.on('data', (chunk) => {
        buffered = Buffer.concat([buffered, chunk]);
        while (buffered.length >= 4) {
          const size = buffered.readInt32BE(0);
          if (buffered.length < 4 + size) break;
          const frame = buffered.subarray(0, 4 + size);
          buffered = buffered.subarray(4 + size);
          frames.push(frame);
          const answer = Buffer.from('00000008000000000000002a', 'hex');
          frame.copy(answer, 4, 8, 12);
          socket.write(answer);
        }
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as net.AddressInfo;
    const { ConnectionPool } = loadKafkajs();
    const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
    const pool = new ConnectionPool({
      host: '127.0.0.1',
      port,
      clientId: 'client-ü',
      logger: kafkajsLogger(quiet),
      connectionTimeout: 5000,
      requestTimeout: 5000,
      enforceRequestTimeout: false,
      socketFactory: ({ onConnect }: { onConnect: () => void }) =>
        net.connect({ host: '127.0.0.1', port }, onConnect),
    });
    const connection = pool.pool[0] as Connection & { connect(): Promise<void> };
    try {
      await connection.connect();
      const body = Buffer.from('a body of any bytes \u0000\u00ff');
      const api = { name: 'Produce', key: 0, version: 8, isFlexible: false };
      const number = (payload: Buffer) => payload.readInt32BE(0);
      await connection.send({
        request: {
          apiKey: api.key,
          apiVersion: api.version,
          apiName: api.name,
          encode: () => Promise.resolve({ buf: body, buffer: body }),
        },
        response: {
          decode: (payload) => Promise.resolve(number(payload)),
          parse: (answer) => Promise.resolve(answer),
        },
      });
      const answer = await sendEncoded(connection, api, body, (payload) => ({
        number: number(payload),
        throttleMs: 60_000,
      }));
      expect(answer.number).toBe(42);
      expect(connection.requestQueue.throttledUntil).toBeGreaterThan(Date.now() + 50_000);
      const [theirs, ours] = frames.map((frame) => Buffer.from(frame));
      if (!theirs || !ours) throw new Error('two frames');
      expect(ours.readInt32BE(8)).not.toBe(theirs.readInt32BE(8));
      theirs.copy(ours, 8, 8, 12);
      expect(ours.toString('hex')).toBe(theirs.toString('hex'));
    } finally {
      await connection.disconnect();
      server.close();
    }
  });
});

describe('kafkajsLogger', () => {
  it('forwards messages of warnings and errors with the broker, and nothing else that kafkajs adds', () => {
    const lines: string[] = [];
    const keep = (fields: object, message: string) =>
      lines.push(`${message} ${JSON.stringify(fields)}`);
    const logger = kafkajsLogger({ info: keep, warn: keep, error: keep }).namespace();
    logger.debug();
    logger.info();
    logger.error('Response Produce', { broker: 'b:1', ...{ payload: 'secret', error: 'secret' } });
    expect(lines).toEqual(['Response Produce {"component":"kafkajs","broker":"b:1"}']);
  });
});

describe('kafkaCode', () => {
  it('calls every code as kafkajs calls it, or by the newer name that Kafka gave it', () => {
    const { createErrorFromCode } = load('kafkajs/src/protocol/error') as {
      createErrorFromCode: (code: number) => { type: string };
    };
    const renamed: Record<string, string> = {
      UNKNOWN: 'UNKNOWN_SERVER_ERROR',
      NOT_LEADER_FOR_PARTITION: 'NOT_LEADER_OR_FOLLOWER',
      GROUP_LOAD_IN_PROGRESS: 'COORDINATOR_LOAD_IN_PROGRESS',
      GROUP_COORDINATOR_NOT_AVAILABLE: 'COORDINATOR_NOT_AVAILABLE',
      NOT_COORDINATOR_FOR_GROUP: 'NOT_COORDINATOR',
    };
    for (let code = -1; code <= 88; code += 1) {
      const { type } = createErrorFromCode(code);
      const { name } = kafkaCode(code);
      if (!name.startsWith('Kafka error')) expect(name).toBe(renamed[type] ?? type);
    }
  });

  it('takes a code that is not known for one that does not heal (I8)', () => {
    expect(kafkaCode(9999)).toEqual({ name: 'Kafka error 9999', means: 'KAFKA_REJECTED' });
  });
});

import { createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { freePorts } from './free-ports.ts';
import { startKafka, startPostgres } from './index.ts';

/** Ports that look free and are taken by the time the server binds them. */
let stolen: number[] = [];
vi.mock('./free-ports.ts', async (original) => {
  const real = await original<{ freePorts: typeof freePorts }>();
  return {
    freePorts: async (count: number) =>
      stolen.length > 0 ? stolen.splice(0, count) : real.freePorts(count),
  };
});

describe('a port that is taken between the look and the bind', () => {
  let thieves: Server[];
  let taken: number[];
  beforeAll(async () => {
    taken = await freePorts(3);
    thieves = taken.map((port) =>
      createServer((socket) => socket.destroy()).listen(port, '127.0.0.1'),
    );
  });
  afterAll(() => {
    for (const thief of thieves) thief.close();
  });

  it('makes Postgres try another one', async () => {
    stolen = taken.slice(0, 1);
    await using postgres = await startPostgres();
    expect(stolen).toEqual([]);
    expect(taken).not.toContain(postgres.port);
  });

  it('makes Kafka try others', async () => {
    stolen = [...taken];
    await using kafka = await startKafka();
    expect(stolen).toEqual([]);
    expect(taken.map((port) => `127.0.0.1:${port}`)).not.toContain(kafka.bootstrap[0]);
  });
});

import { once } from 'node:events';
import net from 'node:net';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { metadataApi } from '../apis/metadata-api.ts';
import { startFakeBroker } from '../test-support/fake-broker.ts';
import { connectionTo, silentLog } from '../test-support/test-topics.ts';
import { ByteWriter } from '../wire/byte-writer.ts';
import { BrokerLink } from './broker-link.ts';

const metadata = 3;
const heartbeat = 12;
const handshake = 17;
const authenticate = 36;
const ranges = {
  [metadata]: [0, 7],
  [heartbeat]: [0, 3],
  [handshake]: [0, 1],
  [authenticate]: [0, 2],
} as const;
/** So long that what ends a call is never the silence. */
const silenceLimitMs = 60_000;

const frameOf = (size: number, more = '') =>
  Buffer.concat([new ByteWriter().int32(size).written(), Buffer.from(more)]);
const http = Buffer.from('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
const tlsAlert = Buffer.from('15030300020246', 'hex');
const garbled: [string, Buffer, string][] = [
  ['a size of 0', frameOf(0), 'a frame of 0 bytes'],
  ['a size of 1', frameOf(1, 'x'), 'a frame of 1 bytes'],
  ['a size of 3', frameOf(3, 'xyz'), 'a frame of 3 bytes'],
  ['a size of -1', frameOf(-1, 'xyz'), 'a frame of -1 bytes'],
  ['the lowest size', frameOf(-(2 ** 31), 'xyz'), 'a frame of -2147483648 bytes'],
  ['the largest size', frameOf(2 ** 31 - 1, 'xyz'), 'a frame of 2147483647 bytes'],
  ['HTTP', http, 'this port speaks HTTP'],
  ['an alert of TLS', tlsAlert, 'this port speaks TLS'],
  [
    'the answer to a request that nobody sent',
    frameOf(8, '\x7f\xff\xff\xffabcd'),
    'not waited for',
  ],
];

const uncaught: unknown[] = [];
const onUncaught = (thrown: unknown) => uncaught.push(thrown);
beforeEach(() => {
  uncaught.length = 0;
  process.on('uncaughtException', onUncaught);
});
afterEach(() => {
  process.off('uncaughtException', onUncaught);
  expect(uncaught).toEqual([]);
});

/** A link to a server that answers whatever it is asked with these bytes. */
async function linkToServer(bytes: Buffer, thenEnds = false) {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('data', () => {
      socket.write(bytes);
      if (thenEnds) socket.end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = `127.0.0.1:${(server.address() as net.AddressInfo).port}`;
  const link = new BrokerLink(address, connectionTo([address], { silenceLimitMs }), silentLog);
  onTestFinished(async () => {
    link.close();
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  return { link, address, sockets };
}

/** A link to a broker that shakes hands as it should, and answers Metadata with these bytes the first time. */
async function linkToBroker(bytes: Buffer) {
  let asked = 0;
  const broker = await startFakeBroker(ranges, {
    [metadata]: ({ socket }) => {
      asked += 1;
      if (asked > 1)
        return new ByteWriter().int32(0).int32(0).string('id').int32(-1).int32(0).written();
      socket.write(bytes);
      return undefined;
    },
    [heartbeat]: () => undefined,
  });
  const link = new BrokerLink(
    broker.address,
    connectionTo([broker.address], { silenceLimitMs }),
    silentLog,
  );
  onTestFinished(async () => {
    link.close();
    await broker.close();
  });
  return { link, broker };
}

describe('a server that is no Kafka', () => {
  it.each(garbled)(
    'and sends %s fails the call, and not the process',
    async (_what, bytes, says) => {
      const { link, address, sockets } = await linkToServer(bytes);
      const asking = link.request(metadataApi, []);
      await expect(asking).rejects.toMatchObject({ code: 'KAFKA_UNAVAILABLE' });
      await expect(asking).rejects.toThrow(`broker ${address}`);
      await expect(asking).rejects.toThrow(says);
      const [socket] = sockets;
      if (socket && !socket.destroyed) await once(socket, 'close');
    },
  );

  it('and sends half a frame and closes fails the call', async () => {
    const { link } = await linkToServer(frameOf(100, 'half'), true);
    await expect(link.request(metadataApi, [])).rejects.toMatchObject({
      code: 'KAFKA_UNAVAILABLE',
    });
  });

  it('and answers versions that cannot be read fails the call', async () => {
    const { link } = await linkToServer(frameOf(8, '\x00\x00\x00\x00\x00\x00\x7f\xff'));
    await expect(link.request(metadataApi, [])).rejects.toMatchObject({
      code: 'KAFKA_UNAVAILABLE',
      message: expect.stringContaining('its answer to ApiVersions is not one') as string,
    });
  });
});

describe('a broker', () => {
  it.each(garbled)(
    'that sends %s in the middle of a connection fails what is out, and is connected to anew',
    async (_what, bytes, says) => {
      const { link } = await linkToBroker(bytes);
      const other = link.ask('Heartbeat', { groupId: 'g', groupGenerationId: 1, memberId: 'm' });
      const asking = link.request(metadataApi, [], { maxAnswerBytes: 1000 });
      await expect(asking).rejects.toMatchObject({ code: 'KAFKA_UNAVAILABLE' });
      await expect(asking).rejects.toThrow(says);
      await expect(other).rejects.toMatchObject({ code: 'KAFKA_UNAVAILABLE' });
      expect(await link.request(metadataApi, [])).toMatchObject({ brokers: [] });
    },
  );

  it('that sends more than was asked for is not listened to', async () => {
    const { link } = await linkToBroker(frameOf(2_000_001));
    await expect(link.request(metadataApi, [], { maxAnswerBytes: 2_000_000 })).rejects.toThrow(
      'a frame of 2000001 bytes',
    );
  });

  it('whose answer to a request of kafkajs is cut short has not answered', async () => {
    const broker = await startFakeBroker(ranges, { [heartbeat]: () => Buffer.from('0000', 'hex') });
    const link = new BrokerLink(broker.address, connectionTo([broker.address]), silentLog);
    onTestFinished(async () => {
      link.close();
      await broker.close();
    });
    await expect(
      link.ask('Heartbeat', { groupId: 'g', groupGenerationId: 1, memberId: 'm' }),
    ).rejects.toMatchObject({
      code: 'KAFKA_UNAVAILABLE',
      message: expect.stringContaining('its answer to Heartbeat 3 is not one') as string,
    });
  });

  it.each([
    ['the handshake', { [handshake]: () => Buffer.from('00', 'hex') }],
    [
      'the exchange',
      {
        [handshake]: () => new ByteWriter().int16(0).int32(1).string('PLAIN').written(),
        [authenticate]: () => Buffer.from('00', 'hex'),
      },
    ],
  ] as const)(
    'whose answer to %s of a login is cut short has refused nobody',
    async (_what, answers) => {
      const broker = await startFakeBroker(ranges, answers);
      const link = new BrokerLink(
        broker.address,
        connectionTo([broker.address], {
          sasl: { mechanism: 'plain', username: 'relay', password: 'secret' },
        }),
        silentLog,
      );
      onTestFinished(async () => {
        link.close();
        await broker.close();
      });
      await expect(link.request(metadataApi, [])).rejects.toMatchObject({
        code: 'KAFKA_UNAVAILABLE',
      });
    },
  );
});

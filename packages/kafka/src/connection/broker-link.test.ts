import { describe, expect, it, onTestFinished } from 'vitest';
import { metadataApi } from '../apis/metadata-api.ts';
import { startFakeBroker, type FakeAnswer } from '../test-support/fake-broker.ts';
import { connectionTo, silentLog } from '../test-support/test-topics.ts';
import { ByteWriter } from '../wire/byte-writer.ts';
import { BrokerLink } from './broker-link.ts';

const metadata = 3;
const handshake = 17;
const authenticate = 36;
const ranges = { [metadata]: [0, 13], [handshake]: [0, 1], [authenticate]: [0, 2] } as const;
const password = 'correct horse';
const login = { sasl: { mechanism: 'plain', username: 'relay', password } } as const;

/** Version 7: no broker, no topic. */
const emptyCluster = (throttleMs = 0) =>
  new ByteWriter().int32(throttleMs).int32(0).string('id').int32(-1).int32(0).written();
const mechanisms = () => new ByteWriter().int16(0).int32(1).string('PLAIN').written();
const authenticated = (lifetimeMs: bigint) =>
  new ByteWriter().int16(0).string(null).bytes(Buffer.alloc(0)).int64(lifetimeMs).written();

async function linkTo(
  answers: Readonly<Record<number, FakeAnswer>>,
  over: Parameters<typeof connectionTo>[1] = {},
  offered: Parameters<typeof startFakeBroker>[0] = { ...ranges, [metadata]: [0, 7] },
) {
  const broker = await startFakeBroker(offered, answers);
  const link = new BrokerLink(broker.address, connectionTo([broker.address], over), silentLog);
  onTestFinished(async () => {
    link.close();
    await broker.close();
  });
  return { broker, link };
}

describe('a login', () => {
  it('that the broker refuses is a verdict, in its words and without the password', async () => {
    const { link } = await linkTo(
      {
        [handshake]: mechanisms,
        [authenticate]: () =>
          new ByteWriter()
            .int16(58)
            .string('no such user')
            .bytes(Buffer.alloc(0))
            .int64(0n)
            .written(),
      },
      login,
    );
    const asking = link.request(metadataApi, []);
    await expect(asking).rejects.toMatchObject({
      code: 'KAFKA_AUTH_FAILED',
      message: expect.stringContaining('no such user') as string,
    });
    await expect(asking).rejects.not.toThrow(password);
  });

  it('by a mechanism that the broker has not is a verdict', async () => {
    const { link } = await linkTo(
      { [handshake]: () => new ByteWriter().int16(33).int32(1).string('GSSAPI').written() },
      login,
    );
    await expect(link.request(metadataApi, [])).rejects.toMatchObject({
      code: 'KAFKA_AUTH_FAILED',
    });
  });

  it.each([
    ['at the handshake', { [handshake]: ({ socket }) => void socket.destroy() }],
    [
      'at the exchange',
      { [handshake]: mechanisms, [authenticate]: ({ socket }) => void socket.destroy() },
    ],
    [
      'after an end of its own',
      { [handshake]: mechanisms, [authenticate]: ({ socket }) => void socket.end() },
    ],
  ] as [string, Record<number, FakeAnswer>][])(
    'whose connection is closed %s is tried again: the broker is being restarted',
    async (_when, answers) => {
      const { link } = await linkTo(answers, login);
      await expect(link.request(metadataApi, [])).rejects.toMatchObject({
        code: 'KAFKA_UNAVAILABLE',
      });
    },
  );

  it('that is not answered is given up after the silence limit, and is no verdict', async () => {
    const { link } = await linkTo({ [handshake]: mechanisms }, { ...login, silenceLimitMs: 200 });
    await expect(link.request(metadataApi, [])).rejects.toMatchObject({
      code: 'KAFKA_UNAVAILABLE',
    });
  });

  it('whose renewal is not answered is given up after the silence limit, too', async () => {
    let logins = 0;
    const { link } = await linkTo(
      {
        [handshake]: () => (++logins > 1 ? undefined : mechanisms()),
        [authenticate]: () => authenticated(1n),
        [metadata]: () => emptyCluster(),
      },
      { ...login, silenceLimitMs: 200 },
    );
    // The first login lasts a millisecond; on a slow machine the first request has to renew it already.
    await link.request(metadataApi, []).catch(() => undefined);
    const loggedInMs = performance.now();
    while (performance.now() < loggedInMs + 2);
    await expect(link.request(metadataApi, [])).rejects.toMatchObject({
      code: 'KAFKA_UNAVAILABLE',
    });
  });

  it('is renewed on the same connection before its end, with other requests waiting for it', async () => {
    const { broker, link } = await linkTo(
      {
        [handshake]: mechanisms,
        [authenticate]: () =>
          authenticated(
            broker.keys.filter((key) => key === authenticate).length === 1 ? 1n : 3_600_000n,
          ),
        [metadata]: () => emptyCluster(),
      },
      login,
    );
    await link.request(metadataApi, []);
    // The first login lasts a millisecond; on a slow machine the first request has renewed it already.
    const loggedInMs = performance.now();
    while (performance.now() < loggedInMs + 2);
    await Promise.all([link.request(metadataApi, []), link.request(metadataApi, [])]);
    expect(broker.keys.filter((key) => key !== metadata)).toEqual([
      ...[handshake, authenticate],
      ...[handshake, authenticate],
    ]);
    expect(broker.keys.slice(-2)).toEqual([metadata, metadata]);
    expect(broker.keys).toHaveLength(7);
  });
});

describe('versions', () => {
  it('are negotiated for each kind of request', async () => {
    const versions: number[] = [];
    const { link } = await linkTo(
      {
        [metadata]: ({ version }) => {
          versions.push(version);
          return emptyCluster();
        },
      },
      {},
      { [metadata]: [0, 9] },
    );
    await link.request(metadataApi, []);
    expect(versions).toEqual([7]);
  });

  it('that do not meet are told with both ranges', async () => {
    const { broker, link } = await linkTo({}, {}, { [metadata]: [0, 6] });
    await expect(link.request(metadataApi, [])).rejects.toMatchObject({
      code: 'KAFKA_UNSUPPORTED',
      message: `broker ${broker.address} takes Metadata 0 to 6, and we speak versions 7 to 10: Kafka 3.0 to 4.x is known to work`,
    });
    await expect(link.ask('Heartbeat', {})).rejects.toMatchObject({
      code: 'KAFKA_UNSUPPORTED',
      message: `broker ${broker.address} does not take Heartbeat at all, and we speak version 3: Kafka 3.0 to 4.x is known to work`,
    });
  });
});

describe('a broker that is silent', () => {
  it('is given up although it is asked again and again', async () => {
    const { link } = await linkTo({}, { silenceLimitMs: 300 });
    const beganMs = performance.now();
    const first = link.request(metadataApi, []);
    const ended = expect(first).rejects.toMatchObject({ code: 'KAFKA_UNAVAILABLE' });
    const others: Promise<unknown>[] = [];
    const asking = setInterval(
      () => others.push(link.request(metadataApi, []).catch(() => undefined)),
      50,
    );
    try {
      await ended;
      expect(performance.now() - beganMs).toBeLessThan(2000);
    } finally {
      clearInterval(asking);
      link.close();
      await Promise.all(others);
    }
  });

  it('is waited for longer where its protocol lets it hold the answer back', async () => {
    const { link } = await linkTo(
      {
        [metadata]: ({ socket }) => {
          setTimeout(() => socket.destroy(), 600);
          return undefined;
        },
      },
      { silenceLimitMs: 100 },
    );
    const beganMs = performance.now();
    await expect(link.request(metadataApi, [], { heldBackMs: 2000 })).rejects.toMatchObject({
      message: expect.stringContaining('Closed connection') as string,
    });
    expect(performance.now() - beganMs).toBeGreaterThan(500);
  });
});

it('takes an answer that is cut short for none', async () => {
  const { link } = await linkTo({ [metadata]: () => Buffer.from('0000', 'hex') });
  await expect(link.request(metadataApi, [])).rejects.toMatchObject({
    code: 'KAFKA_UNAVAILABLE',
    message: expect.stringContaining('its answer to Metadata 7 is not one') as string,
  });
});

it('leaves a broker alone for as long as it wants, with one timer and none that spins or is negative', async () => {
  const { broker, link } = await linkTo({
    [metadata]: () => emptyCluster(broker.keys.length === 1 ? 300 : 0),
  });
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on('warning', onWarning);
  try {
    await link.request(metadataApi, []);
    const beganMs = performance.now();
    await Promise.all([1, 2, 3].map(() => link.request(metadataApi, [])));
    expect(performance.now() - beganMs).toBeGreaterThan(250);
  } finally {
    process.off('warning', onWarning);
  }
  expect(warnings).toEqual([]);
});

it('takes no throttle for silence, also where it comes after a request that the broker then leaves lying', async () => {
  const heartbeat = 12;
  const { link } = await linkTo(
    {
      [heartbeat]: () =>
        new Promise((resolve) => {
          setTimeout(() => resolve(new ByteWriter().int32(0).int16(0).written()), 900);
        }),
      [metadata]: () => emptyCluster(800),
    },
    { silenceLimitMs: 300 },
    { [metadata]: [0, 7], [heartbeat]: [0, 3] },
  );
  const lying = link.ask('Heartbeat', { groupId: 'g', groupGenerationId: 1, memberId: 'm' });
  await link.request(metadataApi, []);
  expect(await lying).toMatchObject({ errorCode: 0 });
});

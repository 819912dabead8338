import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { clusterView } from './metadata-probe.ts';

function answer(nodes: number[], clusterId: string): Buffer {
  const int32 = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(value);
    return bytes;
  };
  const text = (value: string | null): Buffer => {
    const length = Buffer.alloc(2);
    length.writeInt16BE(value === null ? -1 : value.length);
    return Buffer.concat([length, Buffer.from(value ?? '')]);
  };
  const brokers = nodes.flatMap((node) => [
    int32(node),
    text('127.0.0.1'),
    int32(9092),
    text(null),
  ]);
  const body = [
    int32(1),
    int32(0),
    int32(nodes.length),
    ...brokers,
    text(clusterId),
    int32(1),
    int32(0),
  ];
  const frame = Buffer.concat(body);
  return Buffer.concat([int32(frame.length), frame]);
}

describe('the metadata probe', () => {
  it('reads who is alive and in which cluster, however the answer is cut', async () => {
    const whole = answer([3, 1], 'the-cluster');
    const server = createServer((socket) => {
      socket.once('data', () => {
        for (const byte of whole) socket.write(Buffer.from([byte]));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    expect(await clusterView({ host: '127.0.0.1', port })).toEqual({
      clusterId: 'the-cluster',
      aliveNodes: [1, 3],
    });
    server.close();
  });

  it('fails where the connection is closed without an answer', async () => {
    const server = createServer((socket) => socket.end());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await expect(clusterView({ host: '127.0.0.1', port })).rejects.toThrow();
    server.close();
  });
});

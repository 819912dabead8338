import { connect } from 'node:net';
import type { Endpoint } from './kafka-cluster.ts';

/** Metadata request, version 5, for no topic. Source: Kafka protocol, request header v1 and Metadata. */
const request = ((): Buffer => {
  const body = Buffer.alloc(4 + 2 + 2 + 4 + 2 + 4 + 1);
  let at = body.writeInt32BE(body.length - 4, 0);
  at = body.writeInt16BE(3, at); // api key
  at = body.writeInt16BE(5, at); // version
  at = body.writeInt32BE(1, at); // correlation id
  at = body.writeInt16BE(-1, at); // client id: null
  at = body.writeInt32BE(0, at); // topics: none
  body.writeInt8(0, at); // create no topic
  return body;
})();

export interface ClusterView {
  readonly clusterId: string;
  /** In order. */
  readonly aliveNodes: readonly number[];
}

/**
 * The cluster as one broker sees it. A fenced broker (not caught up, or without a heartbeat) is not among them, so a broker that lists itself
 * is ready. Fails when the broker does not answer.
 */
export async function clusterView({ host, port }: Endpoint): Promise<ClusterView> {
  const socket = connect({ port, host });
  socket.setTimeout(2_000, () => socket.destroy(new Error(`no answer from ${host}:${port}`)));
  socket.write(request);
  let answer = Buffer.alloc(0);
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    answer = Buffer.concat([answer, chunk]);
    // Leaving the loop destroys the socket.
    if (answer.length >= 4 && answer.length >= 4 + answer.readInt32BE(0)) return viewIn(answer);
  }
  throw new Error(`${host}:${port} closed the connection without an answer`);
}

/** What a Metadata answer, version 5, says; frame length included. */
export function viewIn(frame: Buffer): ClusterView {
  const aliveNodes: number[] = [];
  let at = 4 + 4 + 4; // length, correlation id, throttle time
  const count = frame.readInt32BE(at);
  at += 4;
  for (let index = 0; index < count; index++) {
    aliveNodes.push(frame.readInt32BE(at));
    at += 4;
    at += 2 + frame.readInt16BE(at); // host
    at += 4; // port
    at += 2 + Math.max(0, frame.readInt16BE(at)); // rack, null as -1
  }
  const clusterId = frame.toString('utf8', at + 2, at + 2 + Math.max(0, frame.readInt16BE(at)));
  return { clusterId, aliveNodes: aliveNodes.sort((one, other) => one - other) };
}

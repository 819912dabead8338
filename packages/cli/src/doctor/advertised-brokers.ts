import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { KafkaConnection } from '@outbound/service-kit';

/** Metadata request, version 5, for no topic. Source: Kafka protocol, request header v1 and Metadata. */
const request = Buffer.from('0000000f0003000500000001ffff0000000000', 'hex');

/**
 * What a broker calls itself and its peers: these addresses every client is sent to, whatever it was told to begin
 * with.
 */
export interface Advertised {
  readonly id: number;
  readonly host: string;
  readonly port: number;
}

/**
 * Asks one address for the cluster's brokers, and follows none of them: a client library would, and could not say which
 * step failed.
 * Without a login: a broker that wants one closes the connection.
 * @throws Error saying why there is no answer: `ECONNREFUSED`, `ENOTFOUND`, …
 */
export async function advertisedBrokers(
  address: string,
  { tls }: Pick<KafkaConnection, 'tls'>,
): Promise<readonly Advertised[]> {
  const { host, port } = splitAddress(address);
  const socket: Socket = tls
    ? connectTls({
        host,
        port,
        // An address is no name that a server could be asked for (RFC 6066 3).
        ...(isIP(host) ? {} : { servername: host }),
        ...(typeof tls === 'function' ? tls() : tls),
      })
    : connect({ host, port });
  socket.setTimeout(5000, () => socket.destroy(new Error('no answer in 5 s')));
  socket.write(request);
  let answer: Buffer = Buffer.alloc(0);
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    answer = Buffer.concat([answer, chunk]);
    // Leaving the loop destroys the socket.
    if (answer.length >= 4 && answer.length >= 4 + answer.readInt32BE(0)) return brokersIn(answer);
  }
  throw new Error('it closed the connection without an answer');
}

/** What a Metadata answer, version 5, says; frame length included. @throws Error if it is no such answer. */
export function brokersIn(frame: Buffer): readonly Advertised[] {
  const brokers: Advertised[] = [];
  try {
    let at = 4 + 4 + 4; // length, correlation id, throttle time
    const count = frame.readInt32BE(at);
    at += 4;
    for (let index = 0; index < count; index++) {
      const id = frame.readInt32BE(at);
      const length = frame.readInt16BE(at + 4);
      const host = frame.toString('utf8', at + 6, at + 6 + length);
      at += 6 + length;
      brokers.push({ id, host, port: frame.readInt32BE(at) });
      at += 4;
      at += 2 + Math.max(0, frame.readInt16BE(at)); // rack, null as -1
    }
  } catch (cause) {
    throw new Error('what answers there is no Kafka', { cause });
  }
  return brokers.sort((one, other) => one.id - other.id);
}

/** `host:port`, an IPv6 host in brackets. */
export function splitAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':');
  return {
    host: address.slice(0, colon).replace(/^\[|\]$/g, ''),
    port: Number(address.slice(colon + 1)),
  };
}

import net from 'node:net';
import tls from 'node:tls';

/** What kafkajs asks a socket factory for. */
export interface SocketOptions {
  readonly host: string;
  readonly port: number;
  readonly ssl: tls.ConnectionOptions | null;
  readonly onConnect: () => void;
}

/**
 * A socket to a broker, TLS where `ssl` is given. `timeout` is raised when nothing moved for `silenceLimitMs`, during
 * the handshakes too, which kafkajs would wait for without end; kafkajs then gives the connection up.
 */
export function openBrokerSocket(
  { host, port, ssl, onConnect }: SocketOptions,
  silenceLimitMs: number,
): net.Socket {
  const socket = ssl
    ? tls.connect(
        { host, port, ...(net.isIP(host) ? {} : { servername: host }), ...ssl },
        onConnect,
      )
    : net.connect({ host, port }, onConnect);
  socket.setKeepAlive(true, 30_000);
  socket.setNoDelay(true);
  socket.setTimeout(silenceLimitMs);
  return socket;
}

/** Host and port of `host:port`; an IPv6 address stands in brackets. */
export function splitAddress(address: string): [host: string, port: number] {
  const colon = address.lastIndexOf(':');
  return [address.slice(0, colon).replace(/^\[|\]$/g, ''), Number(address.slice(colon + 1))];
}

import net from 'node:net';
import tls from 'node:tls';
import type { KafkaConnection, KafkaLog } from '@outbound/service-kit';
import { Kafka, logLevel, type LogEntry, type SASLOptions } from 'kafkajs';
import { quietIdleTimer } from './kafkajs-idle-timer.ts';

/**
 * kafkajs over our connection settings, for everything but the relay: consumers, admin, and the producer of dead letters. TLS is always checked;
 * warnings and errors go to `log` as a message and the names of broker, topic and partition only, because kafkajs' other fields hold whole requests.
 * @param options.retries how often a question is asked again before it fails; 8, some 15 s. A person at a prompt wants fewer.
 * **Mind**: say `allowAutoTopicCreation: false` to its consumers and producers, or a wrong topic name makes a topic.
 * @throws ConsumerError KAFKAJS_VERSION if kafkajs is not the release that this was proven with.
 */
export function createKafkaClient(
  connection: KafkaConnection,
  log: KafkaLog,
  { retries = 8 }: { readonly retries?: number } = {},
): Kafka {
  const { brokers, clientId, tls: ssl, sasl, connectTimeoutMs } = connection;
  quietIdleTimer(clientId);
  return new Kafka({
    brokers: [...brokers],
    clientId,
    ...(ssl ? { ssl } : {}),
    // A copy: kafkajs writes its authenticator into this object.
    ...(sasl ? { sasl: { ...sasl } as SASLOptions } : {}),
    connectionTimeout: connectTimeoutMs,
    authenticationTimeout: connectTimeoutMs,
    requestTimeout: 15_000,
    retry: { initialRetryTime: 200, maxRetryTime: 3_000, retries },
    logLevel: logLevel.WARN,
    logCreator: () => (entry) => forward(entry, log),
    socketFactory: openSocket,
  });
}

function forward({ log: entry, namespace }: LogEntry, log: KafkaLog): void {
  const { broker, topic, partition } = entry as Record<string, unknown>;
  log.warn(
    {
      component: namespace === '' ? 'kafkajs' : `kafkajs ${namespace}`,
      ...(typeof broker === 'string' ? { broker } : {}),
      ...(typeof topic === 'string' ? { topic } : {}),
      ...(typeof partition === 'number' ? { partition } : {}),
    },
    entry.message,
  );
}

/** As kafkajs' own, without Nagle's delay. */
function openSocket({
  host,
  port,
  ssl,
  onConnect,
}: {
  host: string;
  port: number;
  ssl: tls.ConnectionOptions;
  onConnect: () => void;
}): net.Socket {
  // kafkajs gives null or undefined where there is no TLS, whatever its types say.
  const isSecure = Boolean(ssl);
  const socket = isSecure
    ? tls.connect(
        { host, port, ...(net.isIP(host) ? {} : { servername: host }), ...ssl },
        onConnect,
      )
    : net.connect({ host, port }, onConnect);
  socket.setKeepAlive(true, 30_000);
  socket.setNoDelay(true);
  return socket;
}

import type { ConnectionOptions } from 'node:tls';

/** Where Kafka's trouble is told; a pino logger fits. Never a payload, never a secret. */
export interface KafkaLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** How to reach the brokers. */
export interface KafkaConnection {
  /** `host:port` of some brokers; the others are learnt from them. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  /**
   * Set: TLS, with the server's certificate always checked. A function is asked anew for each connection, so that renewed certificates are used by the next
   * one.
   */
  readonly tls: ConnectionOptions | (() => ConnectionOptions) | undefined;
  readonly sasl:
    | {
        readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
        readonly username: string;
        /** A function is asked anew at each login. */
        readonly password: string | (() => string);
      }
    | undefined;
  readonly connectTimeoutMs: number;
  /**
   * A connection on which nothing moved for this long while an answer is due is given up. Must be above `replicationTimeoutMs`
   * of the publisher, after which a living broker answers in any case.
   */
  readonly silenceLimitMs: number;
}

import type { Socket } from 'node:net';
import type pg from 'pg';

/**
 * Ends a connection that is in use when the server says nothing for `silenceMs`: a server that is gone without closing its connections, or
 * stands still, would else hold the request until the kernel gives up. The query under way is rejected, and the pool removes the connection.
 *
 * pg's own `query_timeout` does not do: it rejects the query and keeps the connection, with the question still open and its transaction too.
 * @param silenceMs longer than `statement_timeout`, so that a slow statement is ended by the server, whose word on the outcome is final.
 */
export function limitSilence(client: pg.PoolClient, silenceMs: number): void {
  const stream = client.connection.stream as Socket;
  const release = client.release.bind(client);
  const onSilence = (): void => {
    stream.destroy(
      Object.assign(new Error(`Postgres said nothing for ${silenceMs} ms`), { code: 'ETIMEDOUT' }),
    );
  };
  stream.setTimeout(silenceMs);
  stream.on('timeout', onSilence);
  client.release = (broken) => {
    stream.setTimeout(0);
    stream.off('timeout', onSilence);
    release(broken);
  };
}

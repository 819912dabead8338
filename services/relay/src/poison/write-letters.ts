import type { OutboxRowText } from '@outbound/contract';
import { RelayError } from '../errors.ts';
import type { ConnectionSettings } from '../wal/connection-config.ts';
import { Sentinel } from '../wal/sentinel.ts';
import { codeOf } from '../wal/source-errors.ts';

/**
 * Puts rows into the outbox, in order and in one transaction, by the function `outbox_redrive`: the relay's role may
 * do no more there. Over a connection of its own, which is closed again. Gives why if the database refuses the rows for
 * what is in them, which it would do again.
 * @throws RelayError SOURCE_*
 */
export async function writeLetters(
  connection: ConnectionSettings,
  rows: readonly OutboxRowText[],
): Promise<RelayError | undefined> {
  const column = (name: keyof OutboxRowText) => rows.map((row) => row[name]);
  const sentinel = await Sentinel.open(
    { ...connection, applicationName: 'outbound-relay-redrive' },
    () => undefined,
  );
  try {
    await sentinel.ask('writing dead letters into the outbox again', (client) =>
      client.query('select public.outbox_redrive($1, $2, $3, $4, $5, $6, $7, $8)', [
        column('id'),
        column('aggregatetype'),
        column('aggregateid'),
        column('type'),
        column('version'),
        column('data_op'),
        column('payload'),
        column('headers'),
      ]),
    );
    return undefined;
  } catch (thrown) {
    if (thrown instanceof RelayError && isOfData(thrown)) return thrown;
    throw thrown;
  } finally {
    sentinel.close();
  }
}

/** SQLSTATE classes 22 (data exception) and 23 (a constraint). */
function isOfData({ cause }: RelayError): boolean {
  return /^2[23]/.test(codeOf(cause) ?? '');
}

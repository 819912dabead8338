import { EntityWriter } from '../../../support/entity-writer.ts';
import { eventually } from '../../../support/eventually.ts';
import type { FaultRow } from '../fault-row.ts';
import { judged } from '../judged.ts';
import { morePublished, moreWritten, underLoad } from '../under-load.ts';

const [warnBytes, alarmBytes] = [8 * 1024 * 1024, 24 * 1024 * 1024];

export const row: FaultRow = {
  number: 21,
  fault: 'a transaction stays open and idle, or prepared, while log is written beyond the budget',
  expected: 'readiness says alarm and names the transaction, and is well again after its end',
  seeds: 20,
  inCi: false,
  run: async (round) => {
    const how = round.chance.pick(['idle', 'prepared'] as const);
    return underLoad(
      await round.stack({ postgres: { settings: { max_prepared_transactions: '5' } } }),
      {
        env: {
          RELAY_WAL_WARN_BYTES: String(warnBytes),
          RELAY_WAL_ALARM_BYTES: String(alarmBytes),
        },
        allowedDuplicates: 0,
        healLimitMs: 120_000,
      },
      async ({ pipeline, relay, load }) => {
        const { sql } = pipeline;
        await morePublished(relay, round.chance.int(1, 300));
        const held = await pipeline.connect();
        await held.query('begin');
        await new EntityWriter(held).write('held');
        if (how === 'prepared') await held.query(`prepare transaction 'held by a round'`);
        // Log that is none of ours, until the slot holds more than its budget.
        const retained = async () => {
          const { rows } = await sql.query<{ bytes: string }>(
            'select pg_current_wal_lsn() - restart_lsn as bytes from pg_replication_slots where slot_name = $1',
            [pipeline.slot],
          );
          return Number(rows[0]?.bytes ?? 0);
        };
        await eventually(
          async () => {
            await sql.query("select pg_logical_emit_message(false, 'other', repeat('x', 1000000))");
            return (await retained()) > alarmBytes * 1.5;
          },
          { timeoutMs: 120_000 },
        );
        const bytes = await retained();
        const slotCheck = async () => (await relay.ready()).checks['slot'];
        const said = await eventually(
          async () => {
            const check = await slotCheck();
            return check?.ok === false && check.detail?.includes('transaction') && check.detail;
          },
          // A transaction is named once it is a minute old.
          { timeoutMs: 120_000, intervalMs: 500 },
        ).catch((error: unknown) => `(nothing: ${String(error)})`);
        await moreWritten(load, 50);
        if (how === 'prepared') await held.query(`commit prepared 'held by a round'`);
        else await held.query('commit');
        await held.end();
        const healed = await eventually(
          async () => {
            // A position that lets the slot go on is written with a checkpoint's snapshot of what runs.
            await sql.query('checkpoint');
            return (await slotCheck())?.ok === true;
          },
          { timeoutMs: 60_000, intervalMs: 500 },
        ).then(
          () => true,
          () => false,
        );
        return {
          bit: `${how}: the slot held ${(bytes / 2 ** 20).toFixed(0)} MiB of log`,
          judged: [
            judged(
              'I9',
              healed,
              healed ? 'within the budget again after it' : 'over the budget still',
            ),
            judged('I11', said.startsWith('alarm'), `readiness: ${said.slice(0, 200)}`),
          ],
        };
      },
    );
  },
};

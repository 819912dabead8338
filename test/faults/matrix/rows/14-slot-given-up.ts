import { eventually } from '../../../support/eventually.ts';
import type { FaultRow } from '../fault-row.ts';
import { refusesThenRecovers } from '../lost-slot.ts';
import { inFlightRecords, morePublished, moreWritten, underLoad } from '../under-load.ts';

export const row: FaultRow = {
  number: 14,
  fault:
    'the slot is given up by Postgres (max_slot_wal_keep_size = 16 MB) while the relay is down',
  expected: 'stops with "data gap" and exit 11, makes no slot; recover leads back',
  seeds: 20,
  inCi: false,
  run: async (round) =>
    underLoad(
      await round.stack(),
      { allowedDuplicates: inFlightRecords, healLimitMs: 120_000 },
      async (scene) => {
        const { sql, slot } = scene.pipeline;
        await morePublished(scene.relay, round.chance.int(1, 300));
        await scene.relay.kill();
        await moreWritten(scene.load, round.chance.int(50, 300));
        await sql.query("alter system set max_slot_wal_keep_size = '16MB'");
        await sql.query('select pg_reload_conf()');
        try {
          await eventually(
            async () => {
              await sql.query('select pg_switch_wal()');
              await sql.query('checkpoint');
              const { rows } = await sql.query<{ status: string }>(
                'select wal_status as status from pg_replication_slots where slot_name = $1',
                [slot],
              );
              return rows[0]?.status === 'lost';
            },
            { timeoutMs: 60_000 },
          );
        } finally {
          await sql.query('alter system reset max_slot_wal_keep_size');
          await sql.query('select pg_reload_conf()');
        }
        return {
          bit: 'wal_status of the slot was lost',
          judged: await refusesThenRecovers(scene, { exitCode: 11 }),
        };
      },
    ),
};

import { recover } from '../../support/recover.ts';
import type { Judgement } from './fault-row.ts';
import { judged } from './judged.ts';
import type { Scene } from './under-load.ts';

/** A relay that is started on a gap has to stop with this code and its sentence, and must not make a slot; then `outbound recover` leads back to a relay that publishes. */
export async function refusesThenRecovers(
  scene: Scene,
  { exitCode, options = [] }: { exitCode: number; options?: readonly string[] },
): Promise<Judgement[]> {
  const { pipeline } = scene;
  const slots = async () => {
    const { rows } = await pipeline.sql.query<{ isUsable: boolean; plugin: string }>(
      'select restart_lsn is not null as "isUsable", plugin from pg_replication_slots where slot_name = $1',
      [pipeline.slot],
    );
    return JSON.stringify(rows);
  };
  const before = await slots();
  const refused = scene.launch();
  const { code } = await refused.ended();
  const fatal = refused.stderr.join(' ');
  const isSame = (await slots()) === before;
  const recovered = await recover(pipeline, ['--yes', ...options]);
  if (recovered.code === 0) scene.relay = await scene.start();
  return [
    judged(
      'I11',
      code === exitCode && fatal !== '' && isSame,
      `exit ${code ?? 'by a signal'}, slot ${isSame ? 'left as it was' : 'made or changed'}: ${fatal.slice(0, 120)}`,
    ),
    judged(
      'I8',
      recovered.code === 0,
      recovered.code === 0
        ? `outbound recover wrote ${recovered.answer().emitted} events again`
        : `outbound recover ended with ${recovered.code}: ${recovered.err.slice(0, 300)}`,
    ),
  ];
}

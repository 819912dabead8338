import { kcatRecords, type SeenRecord } from './seen-record.ts';
import { shell } from './shell.ts';

/** All records of a topic up to its present end, as kcat sees them; in order of offsets within each partition. */
export async function kcatRead(bootstrap: string, topic: string): Promise<SeenRecord[]> {
  return kcatRecords(await shell(`kcat -b ${bootstrap} -C -t ${topic} -o beginning -e -q -J`));
}

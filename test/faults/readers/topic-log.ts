import { shell } from '../../outsiders/shell.ts';

/** A record as an outsider reads it. */
export interface LogRecord {
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  readonly version: number;
  /** When its leader appended it, milliseconds since 1970. */
  readonly atMs: number;
}

/** Every committed record of a topic, as kcat reads it; offsets ascend within a partition. Tombstones have version 0. */
export async function readLog(bootstrap: readonly string[], topic: string): Promise<LogRecord[]> {
  const output = await shell(
    `kcat -b ${bootstrap.join(',')} -C -t ${topic} -o beginning -e -q -f '%p %o %T %k %s\\n' | sed -E 's/ \\{.*"version":([0-9]+).*/ \\1/'`,
    '',
    300_000,
  );
  return output
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [partition, offset, atMs, key = '', version] = line.split(' ');
      return {
        partition: Number(partition),
        offset: Number(offset),
        atMs: Number(atMs),
        key,
        version: Number(version),
      };
    });
}

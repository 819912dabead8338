/** One record as a reader outside of our code saw it. */
export interface SeenRecord {
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  /** null: a tombstone. */
  readonly value: string | null;
  readonly headers: Readonly<Record<string, string>>;
}

/** What `kcat -J` prints: a JSON object a line. */
export function kcatRecords(output: string): SeenRecord[] {
  return lines(output).map((line) => {
    const { partition, offset, key, payload, headers } = JSON.parse(line) as {
      partition: number;
      offset: number;
      key: string;
      payload: string | null;
      headers?: string[];
    };
    return { partition, offset, key, value: payload, headers: pairs(headers ?? []) };
  });
}

/**
 * What Kafka's console consumer prints with partition, offset, headers and key: `Partition:0<tab>Offset:1<tab>a:1,b:2<tab>key<tab>value`. A tombstone is the word `null`.
 */
export function consoleRecords(output: string): SeenRecord[] {
  return lines(output).map((line) => {
    const [partition = '', offset = '', headers = '', key = '', ...value] = line.split('\t');
    const text = value.join('\t');
    return {
      partition: Number(partition.replace('Partition:', '')),
      offset: Number(offset.replace('Offset:', '')),
      key,
      value: text === 'null' ? null : text,
      headers: Object.fromEntries(
        headers.split(',').map((header) => {
          const colon = header.indexOf(':');
          return [header.slice(0, colon), header.slice(colon + 1)];
        }),
      ),
    };
  });
}

const lines = (output: string): string[] => output.split('\n').filter((line) => line !== '');

function pairs(flat: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (let at = 0; at + 1 < flat.length; at += 2) headers[flat[at] ?? ''] = flat[at + 1] ?? '';
  return headers;
}

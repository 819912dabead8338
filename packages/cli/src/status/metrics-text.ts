/** One sample of a metrics page. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Reads Prometheus' text form as far as our services write it; lines of another form are left out. */
export function parseMetrics(text: string): readonly Sample[] {
  return text.split('\n').flatMap((line): Sample[] => {
    const [, name = '', labels = '', value = ''] =
      /^([a-z_:][a-z0-9_:]*)(?:\{(.*)\})? (\S+)$/i.exec(line) ?? [];
    if (name === '') return [];
    const pairs = [...labels.matchAll(/([a-z_][a-z0-9_]*)="((?:[^"\\]|\\.)*)"/gi)];
    return [
      {
        name,
        labels: Object.fromEntries(pairs.map(([, label = '', text = '']) => [label, text])),
        value: value === '+Inf' ? Infinity : value === 'Nan' ? NaN : Number(value),
      },
    ];
  });
}

/**
 * The value below which a share `q` of a histogram's observations lies, linear within its bucket, as Prometheus'
 * histogram_quantile. Null without
 * an observation; the last finite bound if it lies above all of them.
 */
export function quantile(samples: readonly Sample[], histogram: string, q: number): number | null {
  const buckets = samples
    .filter(({ name }) => name === `${histogram}_bucket`)
    .map(({ labels, value }) => ({
      bound: labels['le'] === '+Inf' ? Infinity : Number(labels['le']),
      count: value,
    }))
    .sort((a, b) => a.bound - b.bound);
  const total = buckets.at(-1)?.count ?? 0;
  if (total === 0) return null;
  let below = { bound: 0, count: 0 };
  for (const bucket of buckets) {
    if (bucket.count >= q * total) {
      if (bucket.bound === Infinity) return below.bound;
      const share = (q * total - below.count) / (bucket.count - below.count);
      return below.bound + (bucket.bound - below.bound) * share;
    }
    below = bucket;
  }
  return below.bound;
}

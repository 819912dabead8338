/** Median and extremes of a set of measurements, in their own unit. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/**
 * The `q`-quantile (0 to 1) with linear interpolation between the two nearest values, as numpy's default does.
 * @throws RangeError without values: a figure that was not measured must not look like one.
 */
export function quantile(values: readonly number[], q: number): number {
  if (values.length === 0) throw new RangeError('no values to take a quantile of');
  if (!(q >= 0 && q <= 1)) throw new RangeError(`${q} is not a quantile; it lies between 0 and 1`);
  const sorted = Float64Array.from(values).sort();
  const at = (sorted.length - 1) * q;
  const below = sorted[Math.floor(at)] ?? 0;
  const above = sorted[Math.ceil(at)] ?? 0;
  return below + (above - below) * (at - Math.floor(at));
}

/** The median; it is what a row of a table shows, since one disturbed run of several does not move it. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** @throws RangeError without values. */
export function spread(values: readonly number[]): Spread {
  return { median: median(values), min: quantile(values, 0), max: quantile(values, 1) };
}

/** What a latency distribution is reduced to, in the unit of the values. */
export interface LatencySummary {
  readonly count: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** @throws RangeError without values. */
export function summarizeLatency(values: readonly number[]): LatencySummary {
  return {
    count: values.length,
    p50: quantile(values, 0.5),
    p95: quantile(values, 0.95),
    p99: quantile(values, 0.99),
    max: quantile(values, 1),
  };
}

/** Bytes in the largest unit of 1024 that leaves at least 1: `512 B`, `1.5 KiB`, `3.2 GiB`. */
export function bytesText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** A length of time in two units at the most: `4 ms`, `1.5 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`. */
export function durationText(seconds: number): string {
  if (seconds === 0) return '0 s';
  if (seconds < 1) return `${Math.max(1, Math.round(seconds * 1000))} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const [first, second, size, small] =
    whole < 3600
      ? (['min', 's', 60, 1] as const)
      : whole < 86_400
        ? (['h', 'min', 3600, 60] as const)
        : (['d', 'h', 86_400, 3600] as const);
  const rest = Math.floor((whole % size) / small);
  return `${Math.floor(whole / size)} ${first}${rest === 0 ? '' : ` ${rest} ${second}`}`;
}

import type { RebuildProgress } from '@outbound/consumer';
import { bytesText, durationText, numberText } from '../console/units.ts';

/**
 * How far a rebuild is, in one line: `12 % · 123,456 records · 45,678/s · 1.2 MiB/s · 12 s left`. What is not known yet
 * is not said.
 */
export function progressText(progress: RebuildProgress): string {
  return [`${Math.floor(progress.share * 100)} %`, ...progressParts(progress)].join(' · ');
}

/** The same without the share, for beside a bar. */
export function progressParts({
  recordCount,
  recordsPerSecond,
  bytesPerSecond,
  secondsLeft,
}: RebuildProgress): string[] {
  return [
    `${numberText(recordCount)} records`,
    ...(recordsPerSecond > 0
      ? [`${numberText(Math.round(recordsPerSecond))}/s`, `${bytesText(bytesPerSecond)}/s`]
      : []),
    secondsLeft === undefined
      ? 'time left unknown'
      : secondsLeft === 0
        ? 'done'
        : `${durationText(Math.ceil(secondsLeft))} left`,
  ];
}

import { durationText } from '@outbound/service-kit';

export { bytesText, durationText } from '@outbound/service-kit';

/** `1,234`. */
export function numberText(value: number): string {
  return value.toLocaleString('en-US');
}

/** How long ago a moment was: `3 s ago`; a moment of a clock that is ahead of ours is `just now`. */
export function ageText(moment: string, nowMs: number): string {
  const seconds = (nowMs - Date.parse(moment)) / 1000;
  return seconds < 0.5 ? 'just now' : `${durationText(seconds)} ago`;
}

/** Places where a system test ends the process, to see what a crash between two lines does. Nothing happens at them otherwise. */
export type FailPoint =
  /** Kafka has confirmed a batch; the tracker does not know yet. */
  | 'after-publish-before-track'
  /** The acknowledged position has moved; Postgres was not told. */
  | 'after-track-before-report'
  /** The slot is taken; Kafka was not asked for anything. */
  | 'after-slot-before-publisher'
  /** Older producers are fenced and tails are read; nothing was sent. */
  | 'after-fence-before-send'
  /** Everything is drained; the last position was not reported. */
  | 'after-drain-before-close';

export const failPointNames = [
  'after-publish-before-track',
  'after-track-before-report',
  'after-slot-before-publisher',
  'after-fence-before-send',
  'after-drain-before-close',
] as const satisfies readonly FailPoint[];

export type ReachFailPoint = (point: FailPoint) => void;

export const noFailPoint: ReachFailPoint = () => undefined;

/** Settings of a topic that say how long a record stays: by Kafka's names, as texts of ms; `-1` is for ever. */
export type TopicSettings = ReadonlyMap<string, string>;

/** The settings that `goneByRetention` and `goneByCompaction` read. */
export const boundSettings = [
  ...['retention.ms', 'segment.ms', 'file.delete.delay.ms'],
  ...['max.compaction.lag.ms', 'delete.retention.ms'],
] as const;

/** How often a broker looks for what is due, by default (`log.retention.check.interval.ms`): a setting of brokers, not of topics. */
const checkMs = 300_000;
/** What Kafka writes for "no limit". */
const noLimitMs = 9_223_372_036_854_775_000;

/**
 * When a record that was written until `from` is on no disk of the brokers any more, in a topic that is kept by time: its segment is closed `segment.ms` after its
 * first record, deleted `retention.ms` after its last one at the next look, and its file a moment later. Undefined: no time is set.
 */
export function goneByRetention(settings: TopicSettings, from: Date): Date | undefined {
  return after(from, [
    msOf(settings, 'retention.ms'),
    msOf(settings, 'segment.ms'),
    checkMs,
    msOf(settings, 'file.delete.delay.ms'),
  ]);
}

/**
 * When the value under a key whose tombstone is written at `from` is due to be compacted away (the cleaner takes its time for it, and a segment is closed only by
 * the next record of its partition), and when the tombstone may go, too. Undefined: no time is set.
 */
export function goneByCompaction(
  settings: TopicSettings,
  from: Date,
): { readonly value: Date | undefined; readonly tombstone: Date | undefined } {
  const lagMs = msOf(settings, 'max.compaction.lag.ms');
  return {
    value: after(from, [lagMs, msOf(settings, 'file.delete.delay.ms')]),
    tombstone: after(from, [lagMs, lagMs, msOf(settings, 'delete.retention.ms')]),
  };
}

function msOf(settings: TopicSettings, name: (typeof boundSettings)[number]): number | undefined {
  const text = settings.get(name);
  // A broker of an older release has not every setting; its own default is a minute.
  if (text === undefined) return name === 'file.delete.delay.ms' ? 60_000 : undefined;
  const ms = Number(text);
  return ms < 0 || ms >= noLimitMs ? undefined : ms;
}

function after(from: Date, parts: readonly (number | undefined)[]): Date | undefined {
  let ms = from.getTime();
  for (const part of parts) {
    if (part === undefined) return undefined;
    ms += part;
  }
  const moment = new Date(ms);
  return Number.isNaN(moment.getTime()) ? undefined : moment;
}

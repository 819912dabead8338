import { eventTypes } from '@outbound/schemas';
import { bytesText, numberText } from '../console/units.ts';
import { topicNamed } from '../kafka/topic-name.ts';

/** How an export ended that is whole. */
export interface ExportSummary {
  readonly count: number;
  readonly position: string;
  readonly at: string;
  /** Undefined where it went to standard output. */
  readonly file: string | undefined;
  readonly bytes: number;
  readonly seconds: number;
  /** The topic that goes on from there; undefined where nobody knows. */
  readonly topic: string | undefined;
}

/** So long before the moment of the snapshot the topic is read from: clocks differ, and commits take their time. */
const marginMs = 60_000;

/** The topic with every change of an event type, as the pipeline calls it. */
export function topicOf(eventType: string, topicPrefix: string): string | undefined {
  return eventTypes.has(eventType) ? topicNamed(eventType, eventTypes, topicPrefix) : undefined;
}

/** The command that shows what comes behind the export. */
export function followCommand({ topic, at }: Pick<ExportSummary, 'topic' | 'at'>): string | null {
  if (topic === undefined) return null;
  const from = new Date(Date.parse(at) - marginMs).toISOString();
  return `outbound tail ${topic} --offset @${from}`;
}

/** For programs: one object. */
export function summaryAnswer(summary: ExportSummary): object {
  const { count, position, at, file = null, bytes, seconds } = summary;
  const follow = followCommand(summary);
  return { count, position, at, file, bytes, seconds: Math.round(seconds * 10) / 10, follow };
}

/** For people: what is there, and how the topic goes on from it. */
export function summaryText(summary: ExportSummary): string {
  const { count, position, at, file, bytes, seconds } = summary;
  const follow = followCommand(summary);
  const said = `${numberText(count)} exported${file === undefined ? '' : ` to ${file}`} (${bytesText(bytes)}, ${seconds.toFixed(1)} s)`;
  const going =
    follow === null
      ? ''
      : `\nwhat comes later: ${follow}\n(skip events whose version you have; a topic that keeps less than since then cannot go on from here)`;
  return `${said}\nposition ${position}, of ${at}${going}`;
}

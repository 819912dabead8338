import type { LoggedRecord } from './simulated-log.ts';

/** A handler that runs in a reader. */
export interface RunningHandler {
  readonly reader: string;
  readonly record: LoggedRecord;
  /** The share under which it began. */
  readonly share: number;
  /** Events that are handed to a handler together have the same number. */
  readonly call: number;
  /** Told that its result does not count any more. */
  isReleased: boolean;
}

/** The handlers that run in all readers, by key. */
export class RunningHandlers {
  readonly #byKey = new Map<string, Set<RunningHandler>>();

  add(handler: RunningHandler): void {
    const { key } = handler.record;
    const running = this.#byKey.get(key) ?? new Set<RunningHandler>();
    running.add(handler);
    this.#byKey.set(key, running);
  }

  of(key: string): Iterable<RunningHandler> {
    return this.#byKey.get(key) ?? [];
  }

  /** Whether the event is one of those of this call. */
  runsIn({ key, eid }: LoggedRecord, call: number): boolean {
    for (const each of this.of(key)) if (each.call === call && each.record.eid === eid) return true;
    return false;
  }

  /** Its signal was aborted. */
  released(reader: string, { key, eid }: LoggedRecord): void {
    for (const each of this.of(key))
      if (each.reader === reader && each.record.eid === eid) each.isReleased = true;
  }

  /** The earliest of its handlers of this event has ended. */
  ended(reader: string, { key, eid }: LoggedRecord): RunningHandler | undefined {
    for (const each of this.of(key))
      if (each.reader === reader && each.record.eid === eid) {
        this.#byKey.get(key)?.delete(each);
        return each;
      }
    return undefined;
  }

  /** The reader is gone. */
  endAll(reader: string): void {
    for (const running of this.#byKey.values())
      for (const each of running) if (each.reader === reader) running.delete(each);
  }
}

/** What an inbox looks at: any event that `subscribe` gives. */
export interface SeenEvent {
  readonly eid: string;
  /** What kind of entity: with the key it names the entity, whatever the major version of the event type. `order` 1 is not `invoice` 1. */
  readonly dataType: string;
  readonly key: string;
  readonly version: number | undefined;
}

/**
 * `applied`: it was new, and its effect was made. `seen`: this version, a later one, or this event id was there before, so the effect was
 * left out.
 */
export type ApplyOutcome = 'applied' | 'seen';

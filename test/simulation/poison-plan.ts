import type { EventType } from '@outbound/contract';
import type { Chance } from './chance.ts';
import type { SimulatedKafka } from './simulated-kafka.ts';
import { itemChange, itemChangeNext } from './workload.ts';

/** What a schedule has of poison. */
export interface Poison {
  readonly unknown: number;
  readonly oversize: number;
  /** Whether a relay that starts now knows every type. */
  knows(): boolean;
  heal(): void;
}

/** So large a share of the schedules has poison: types that some relays do not know, events that the topics do not take, or both. */
export function poisonOf(chance: Chance, share: number): Poison | undefined {
  if (!chance.happens(share)) return undefined;
  let isHealed = false;
  return {
    ...chance.pick([
      { unknown: 0.1, oversize: 0 },
      { unknown: 0.02, oversize: 0 },
      { unknown: 0, oversize: 0.05 },
      { unknown: 0.05, oversize: 0.03 },
    ]),
    knows: () => isHealed || chance.happens(0.4),
    heal: () => {
      isHealed = true;
    },
  };
}

/** The largest batch that topics take while some events are too large for them. */
export const smallBatchBytes = 5000;

/** Topics take large events for a while, and not any more for another, until then. */
export function changeLimit(kafka: SimulatedKafka, chance: Chance, untilMs: number): void {
  const { scheduler } = kafka;
  scheduler.after(chance.between(200, 3000), () => {
    if (scheduler.nowMs > untilMs) return;
    kafka.maxBatchBytes = kafka.maxBatchBytes === Infinity ? smallBatchBytes : Infinity;
    changeLimit(kafka, chance, untilMs);
  });
}

/** The types that a relay knows. */
export function known(isEverything: boolean): ReadonlyMap<string, EventType> {
  const types = isEverything ? [itemChange, itemChangeNext] : [itemChange];
  return new Map(types.map((type) => [type.name, type]));
}

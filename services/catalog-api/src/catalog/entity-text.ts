import { stringifyJson } from '@outbound/contract';
import type { Entity } from '@outbound/outbox';

const known = new WeakMap<Entity, string>();

/** The JSON text of an entity, made once: its answer and its event are the same bytes (I5). An entity is never changed once it is made. */
export function entityText(entity: Entity): string {
  let text = known.get(entity);
  if (text === undefined) {
    text = stringifyJson(entity);
    known.set(entity, text);
  }
  return text;
}

import { eventTypeRegistry, type EventTypeRegistry } from '@outbound/contract';
import { categoryChange } from './category-change.ts';
import { productChange } from './product-change.ts';

/** Every event type of the catalog. */
export const eventTypes: EventTypeRegistry = eventTypeRegistry([productChange, categoryChange]);

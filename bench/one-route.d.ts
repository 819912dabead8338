import type { EventType } from '@outbound/schemas';

export declare const eventTypes: readonly Pick<
  EventType,
  'name' | 'category' | 'owner' | 'dataType' | 'version' | 'routes'
>[];

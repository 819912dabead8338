import type { EventType } from '@outbound/contract';

export declare const eventTypes: readonly Pick<
  EventType,
  'name' | 'category' | 'owner' | 'dataType' | 'version' | 'routes'
>[];

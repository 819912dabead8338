import { asyncApiDocument, type EventTypeRegistry } from '@outbound/contract';

/** The AsyncAPI 3 document of the catalog's events. @param version of the document. */
export function catalogAsyncApi(
  eventTypes: EventTypeRegistry,
  version: string,
): Record<string, unknown> {
  return asyncApiDocument(eventTypes, {
    title: 'Catalog events',
    version,
    description: 'Every committed change of the catalog, in order per entity, at least once.',
    contact: { name: 'Owners of the catalog', url: 'https://catalog.example.com/contact' },
  });
}

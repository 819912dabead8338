import { stringifyJson, type EventTypeRegistry } from '@outbound/contract';
import { catalogAsyncApi } from '@outbound/schemas';
import { publicScope } from '../auth/route-security.ts';
import { asyncApiPage } from './asyncapi-page.ts';
import type { Server } from './server.ts';

/**
 * Serves what this service publishes: the AsyncAPI document at `/asyncapi.json` for machines, and at `/asyncapi` a page for people that needs nothing from
 * elsewhere. Made once: the event types do not change while the service runs.
 */
export function registerAsyncApi(
  app: Server,
  eventTypes: EventTypeRegistry,
  version: string,
): void {
  const document = Buffer.from(stringifyJson(catalogAsyncApi(eventTypes, version)));
  const config = { scope: publicScope };
  const page = asyncApiPage(eventTypes, version);
  app.get('/asyncapi.json', { config, schema: { hide: true } }, (_, reply) =>
    reply.type('application/json; charset=utf-8').send(document),
  );
  app.get('/asyncapi', { config, schema: { hide: true } }, (_, reply) =>
    reply.type('text/html; charset=utf-8').send(page),
  );
}

import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { documentSchemaOptions, stringifyJson } from '@outbound/contract';
import { createJsonSchemaTransform } from 'fastify-type-provider-zod';
import { publicScope, securityScheme } from '../auth/route-security.ts';
import type { Server } from './server.ts';
import { docsPage } from './docs-page.ts';
import { documentRoute } from './document-route.ts';

const apiTitle = 'Catalog API';

/** Zalando rules 215, 218 and 219; the id never changes. */
const info = {
  title: apiTitle,
  description:
    'Products and categories. Every change that is answered with 2xx is published as an event. Changes need If-Match; errors are problem+json.',
  contact: { name: 'Owners of the catalog', url: 'https://catalog.example.com/contact' },
  'x-api-id': 'c5f1a0de-6a0e-4b0e-9c3f-2f9a4d0b7e51',
  'x-audience': 'company-internal',
};

const toJsonSchema = createJsonSchemaTransform({ zodToJsonConfig: documentSchemaOptions });

/**
 * Collects the OpenAPI 3.1 document from the routes' schemas; serves it at `/openapi.json` (Zalando rule 192) and for people at `/docs`, whose
 * assets come from here and not from the internet. **Order**: await it before the first route is registered.
 */
export async function registerOpenApi(app: Server, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.1',
      info: { ...info, version },
      components: {
        securitySchemes: {
          [securityScheme]: {
            type: 'http',
            scheme: 'bearer',
            bearerFormat: 'JWT',
            description:
              'OAuth 2 access token (RFC 6750, RFC 9068); each operation names the scope that it needs.',
          },
        },
      },
      tags: [{ name: 'products' }, { name: 'categories' }, { name: 'event-types' }],
    },
    transform: (route) =>
      documentRoute(toJsonSchema(route) as Parameters<typeof documentRoute>[0]) as ReturnType<
        typeof toJsonSchema
      >,
  });
  // One text for all who ask: a document of a hundred kilobytes would else be made and held for each.
  let text: Buffer | undefined;
  const config = { scope: publicScope };
  app.get('/openapi.json', { config, schema: { hide: true } }, (_request, reply) => {
    text ??= Buffer.from(stringifyJson(app.swagger()));
    return reply.type('application/json; charset=utf-8').send(text);
  });
  await app.register(swaggerUi, docsPage(apiTitle));
}

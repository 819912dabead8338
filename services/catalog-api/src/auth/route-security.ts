import type { RouteOptions } from 'fastify';
import type { Server } from '../http/server.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The scope that a caller needs (Zalando rule 105), or `public` where nobody is asked: documents and their pages alone. */
    readonly scope?: string;
  }
}

/** The scope of a route that everybody may use. */
export const publicScope = 'public';

/** Name of the security scheme in the document (Zalando rule 104). */
export const securityScheme = 'BearerAuth';

/** The page of the documents and its files come from a plugin, which knows nothing of scopes. */
const isPluginPage = (url: string): boolean => url === '/docs' || url.startsWith('/docs/');

/**
 * Holds every route to say who may use it, and writes that into the OpenAPI document: a route that was forgotten ends the start and is not open.
 * **Order**: call it before the first route is registered.
 */
export function requireScopes(app: Server): void {
  app.addHook('onRoute', (route: RouteOptions) => {
    const { url, method, schema } = route;
    if (isPluginPage(url)) route.config = { ...route.config, scope: publicScope };
    const scope = route.config?.scope;
    if (scope === undefined)
      throw new Error(
        `${[method].flat().join()} ${url} does not say who may use it: give its config a scope (auth/route-security.ts)`,
      );
    if (scope !== publicScope)
      route.schema = { ...schema, security: [{ [securityScheme]: [scope] }] };
  });
}

import type { FastifyRequest, RouteOptions } from 'fastify';
import { publicScope } from '../auth/route-security.ts';
import { ApiError } from '../errors.ts';
import type { Server } from './server.ts';

/** Methods that are routed; any other that Node's parser knows is answered 501. */
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'QUERY'];

/**
 * Watches which paths get which methods. The function it gives then lets every path answer every method: OPTIONS tells `Allow`, others that
 * the path does not have are 405 with `Allow`; the router by itself says 404 to them.
 * **Order**: call it before the first route is registered, and what it gives after the last.
 */
export function watchMethods(app: Server): () => void {
  const byPath = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }: RouteOptions) => {
    const known = byPath.get(url) ?? new Set();
    for (const one of [method].flat()) known.add(one);
    // Fastify reports a GET on a plugin's prefix under another URL than the HEAD that it makes of it.
    if (known.has('HEAD')) known.add('GET');
    byPath.set(url, known);
  });
  return () => {
    // A copy, because registering calls the hook above.
    for (const [url, known] of [...byPath]) {
      const missing = methods.filter((method) => !known.has(method));
      if (missing.length > 0)
        answerMissing(app, url, [...known, 'OPTIONS'].sort().join(', '), missing);
    }
  };
}

function answerMissing(app: Server, url: string, allow: string, missing: readonly string[]): void {
  app.route({
    url,
    method: [...missing],
    config: { scope: publicScope },
    schema: { hide: true },
    // Before the body is looked at, so that its type or size is not what is complained about.
    onRequest: (request, _reply, next) => {
      if (request.method === 'OPTIONS') next();
      else
        next(
          new ApiError('METHOD_NOT_ALLOWED', `This path takes ${allow}.`, { headers: { allow } }),
        );
    },
    handler: (_request, reply) => reply.code(204).header('allow', allow).send(),
  });
}

/** What no route matches. @throws ApiError always */
export function refuseUnknownPath(request: FastifyRequest): never {
  if (!methods.includes(request.method))
    throw new ApiError('METHOD_NOT_IMPLEMENTED', 'The service does not know this method.');
  throw unknownPath();
}

/** The answer to a path that no route has. */
export function unknownPath(): ApiError {
  return new ApiError(
    'UNKNOWN_PATH',
    'There is nothing at this path. GET /openapi.json lists what there is.',
  );
}

import type { FastifyRequest } from 'fastify';
import type { Server } from '../http/server.ts';
import { readBearerToken } from './bearer-token.ts';
import type { Principal } from './principal.ts';
import { scopeMissing } from './refusals.ts';
import { publicScope } from './route-security.ts';
import type { TokenVerifier } from './token-verifier.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who makes the request; null where nobody is asked. */
    principal: Principal | null;
  }
}

/**
 * Asks every caller for a token with the scope of the route, before anything else of the request is looked at. Paths that do not exist and methods
 * that a path does not have are told to everybody, as the public document does.
 * @param verifier undefined admits everybody (`CATALOG_API_AUTH=off`).
 */
export function registerAuthentication(app: Server, verifier: TokenVerifier | undefined): void {
  app.decorateRequest('principal', null);
  if (verifier === undefined) return;
  const admit = (request: FastifyRequest, principal: Principal, scope: string): void => {
    request.principal = principal;
    if (!principal.scopes.has(scope)) throw scopeMissing(scope);
  };
  app.addHook('onRequest', (request, _reply, done) => {
    const { scope } = request.routeOptions.config;
    if (request.is404 || scope === publicScope) {
      done();
      return;
    }
    // `requireScopes` lets no route be without one; no token grants this one.
    const needed = scope ?? 'undeclared';
    try {
      const token = readBearerToken(request.raw.rawHeaders, request.query);
      const known = verifier.recall(token);
      if (known === undefined) {
        verifier.verify(token).then(
          (principal) => {
            try {
              admit(request, principal, needed);
            } catch (error) {
              done(error as Error);
              return;
            }
            done();
          },
          (error: unknown) => done(error as Error),
        );
        return;
      }
      admit(request, known, needed);
    } catch (error) {
      done(error as Error);
      return;
    }
    done();
  });
}

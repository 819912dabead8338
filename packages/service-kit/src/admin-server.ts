import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';
import { listenFault } from './listen-fault.ts';

/** What a readiness check found out. */
export interface CheckResult {
  readonly ok: boolean;
  /** How long it has been so, if known. */
  readonly sinceMs?: number;
  /** One sentence for the operator, or a state's name (`standby`). Never a secret. */
  readonly detail?: string;
}

/**
 * Asks one dependency now. Throwing, or taking longer than a second, means "unknown", which is not ready (I11). An answer that lies in the process's sockets when the second is over
 * counts: a process that was busy has not heard it yet, which says nothing about who gave it.
 */
export type ReadinessCheck = () => CheckResult | Promise<CheckResult>;

export interface AdminServer {
  readonly port: number;
  /** Stops listening and ends open connections. */
  close(): Promise<void>;
}

/**
 * Serves what a supervisor needs, on a port apart from users' traffic: `GET /livez` (200 while the process answers; touches no dependency),
 * `GET /readyz` (JSON of every named check; 503 if any is not ok), `GET /metrics` (Prometheus text).
 * Everything else is a problem+json 404 or 405.
 * @param options.checkTimeoutMs after which a check counts as unknown. Defaults to 1,000.
 * @throws PipelineError CONFIG_INVALID if the place cannot be had, such as a port that is taken.
 */
export async function startAdminServer({
  host,
  port,
  settings = 'its host and port',
  checks,
  registry,
  checkTimeoutMs = 1_000,
}: {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** The names of both settings, for the error: `RELAY_ADMIN_HOST and RELAY_ADMIN_PORT`. */
  readonly settings?: string;
  readonly checks: Readonly<Record<string, ReadinessCheck>>;
  readonly registry: Registry;
  readonly checkTimeoutMs?: number;
}): Promise<AdminServer> {
  const answer = async (path: string, response: ServerResponse): Promise<void> => {
    if (path === '/livez') return send(response, 200, 'application/json', '{"status":"ok"}');
    if (path === '/metrics')
      return send(response, 200, registry.contentType, await registry.metrics());
    if (path !== '/readyz') return sendProblem(response, 404, 'Not Found');
    const entries = await Promise.all(
      Object.entries(checks).map(
        async ([name, check]) => [name, await runCheck(check, checkTimeoutMs)] as const,
      ),
    );
    const ok = entries.every(([, result]) => result.ok);
    const body = { status: ok ? 'ready' : 'not ready', checks: Object.fromEntries(entries) };
    send(response, ok ? 200 : 503, 'application/json', JSON.stringify(body));
  };
  const server = createServer((request, response) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      return sendProblem(response, 405, 'Method Not Allowed');
    }
    const path = request.url?.split('?')[0] ?? '/';
    answer(path, response).catch(() => sendProblem(response, 500, 'Internal Server Error'));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  }).catch((thrown: unknown) => {
    throw listenFault(thrown, { host, port, settings });
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function runCheck(check: ReadinessCheck, timeoutMs: number): Promise<CheckResult> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<CheckResult>((resolve) => {
    const unknown = { ok: false, detail: `unknown: no answer within ${timeoutMs} ms` };
    // A loop that stood still runs its timers before it reads its sockets, and immediates after them.
    timer = setTimeout(() => setImmediate(resolve, unknown), timeoutMs);
  });
  const asked = (async () => check())().catch((error: unknown) => {
    // The code and not the message: a driver's message may quote a connection string.
    const code = (error as { code?: unknown } | null)?.code;
    return {
      ok: false,
      detail: `unknown: the check failed${typeof code === 'string' ? ` (${code})` : ''}`,
    };
  });
  const result = await Promise.race([asked, timeout]);
  clearTimeout(timer);
  return result;
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  if (response.headersSent) return;
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(body);
}

function sendProblem(response: ServerResponse, status: number, title: string): void {
  send(
    response,
    status,
    'application/problem+json',
    JSON.stringify({ type: 'about:blank', title, status }),
  );
}

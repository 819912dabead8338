import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  DevelopmentIssuer,
  developmentAudience,
  developmentIssuer,
} from '@outbound/development-issuer';
import { startPostgres } from '@outbound/local-stack';
import { migrateDatabase } from '../../services/catalog-api/src/migrations/migrate-database.ts';
import { ServiceProcess } from '../support/service-process.ts';
import { pythonWithSchemathesis } from './python-client.ts';

/**
 * `npm run fuzz:api [-- --minutes 10] [--seed N] [-- ARGUMENT...]`: Schemathesis against the API as a process of its own, with a real database and a token, from the OpenAPI document that it serves. Every answer
 * has to be one of the document, no 5xx, what the document refuses refused, and what it takes taken. Prints its report; exit code 1 for a finding.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string' },
  },
});

/**
 * What a request that is right may be answered beside success, by what no document can say: that a precondition does not hold or is missing. The precondition is judged before the body is read (RFC 9110 13.2.1), and a batch is answered for each of its items. Imports are left out: Schemathesis writes no NDJSON.
 */
const settings = `
[checks]
positive_data_acceptance.expected-statuses = ["2xx", "3xx", 401, 403, 404, 409, 412, 428, 429]
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 406, 409, 412, 415, 422, 428, 429]

missing_required_header.expected-statuses = [400, 401, 403, 406, 415, 422, 428]

[[operations]]
include-path-regex = "/import$"
enabled = false

[[operations]]
include-path-regex = "/batch$"
checks.negative_data_rejection.expected-statuses = [207, 400, 401, 403, 404, 405, 406, 409, 412, 415, 422, 428, 429]
`;

/** Refusals whose cause is no form either: a cursor of another list, a key that came with another request, a category that is not there. Told to Schemathesis as a conflict, which those are. */
const hooks = `
import schemathesis

@schemathesis.hook
def after_call(context, case, response):
    if response.status_code == 400 and any(
        kind in response.text for kind in ("/problems/invalid-cursor", "/problems/idempotency-key-reused", "is the code of no category")
    ):
        response.status_code = 409
`;

/** The forms of parameters that the document has in words only: to a document that was released, a constraint may not be added (rule 106). */
const tags = '^"[0-9]{1,9}"$';
const forms: Readonly<Record<string, string>> = {
  'x-flow-id': '^[A-Za-z0-9/+_=-]{1,128}$',
  'idempotency-key': '^[!-~]{1,255}$',
  'if-match': tags,
  'if-none-match': tags,
  after: '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$',
  // Of version 7, which a caller has to choose for a new entity.
  id: '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$',
};

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}
interface Operation {
  readonly parameters?: readonly { readonly name: string; readonly schema: { pattern?: string } }[];
}

async function documentOf(base: string): Promise<Document> {
  return (await (await fetch(`${base}/openapi.json`)).json()) as Document;
}

function withForms(document: Document): Document {
  for (const operation of Object.values(document.paths).flatMap((path) => Object.values(path)))
    for (const { name, schema } of operation.parameters ?? []) {
      const pattern = forms[name];
      if (pattern !== undefined) schema.pattern ??= pattern;
    }
  return document;
}

const folder = await mkdtemp(join(tmpdir(), 'outbound-fuzz-'));
const postgres = await startPostgres();
const databaseUrl = await postgres.createDatabase('fuzz');
await migrateDatabase({
  databaseUrl,
  directory: new URL('../../migrations/', import.meta.url).pathname,
  passwords: { outbound_api: 'api' },
});
const issuer = await DevelopmentIssuer.open(folder);
const api = new ServiceProcess(
  'services/catalog-api/src/main.ts',
  {
    CATALOG_API_DATABASE_URL: Object.assign(new URL(databaseUrl), {
      username: 'outbound_api',
      password: 'api',
    }).href,
    CATALOG_API_PORT: '0',
    CATALOG_API_ADMIN_PORT: '0',
    CATALOG_API_STOP_GRACE_MS: '0',
    CATALOG_API_AUTH_ISSUER: developmentIssuer,
    CATALOG_API_AUTH_AUDIENCE: developmentAudience,
    CATALOG_API_AUTH_JWKS_PATH: issuer.jwksPath,
    CATALOG_API_AUTH_DEVELOPMENT_ISSUER: 'true',
    // It would only measure the limit.
    CATALOG_API_RATE_LIMIT_PER_SECOND: '0',
  },
  ['--import', 'tsx'],
);
try {
  const { port } = await api.log('listening', (line) => line['component'] !== 'admin', 120_000);
  const base = `http://127.0.0.1:${Number(port)}`;
  const documentPath = join(folder, 'openapi.json');
  await writeFile(documentPath, JSON.stringify(withForms(await documentOf(base))));
  await writeFile(join(folder, 'schemathesis.toml'), settings);
  await writeFile(join(folder, 'hooks.py'), hooks);
  const token = await issuer.token({ lifetimeSeconds: 24 * 3_600 });
  const fuzz = spawn(
    await pythonWithSchemathesis(),
    [
      ...['-m', 'schemathesis.cli', '--config-file', join(folder, 'schemathesis.toml')],
      ...['run', documentPath, '--url', base],
      ...['--header', `Authorization: Bearer ${token}`, '--checks', 'all'],
      ...['--max-time', String(Number(values.minutes) * 60), '--continue-on-failure'],
      ...['--generation-database', 'none', '--no-color'],
      ...(values.seed === undefined ? [] : ['--seed', values.seed]),
      ...positionals,
    ],
    {
      stdio: ['ignore', 'inherit', 'inherit'],
      cwd: folder,
      env: { ...process.env, SCHEMATHESIS_HOOKS: 'hooks' },
    },
  );
  const [code] = (await once(fuzz, 'exit')) as [number | null];
  // What went wrong inside, which an answer does not say.
  for (const line of api.logs)
    if (line['level'] === 'error' || line['level'] === 'fatal')
      process.stdout.write(`${JSON.stringify(line)}\n`);
  process.exitCode = code ?? 1;
} finally {
  await api[Symbol.asyncDispose]();
  await postgres.close();
  await rm(folder, { recursive: true });
}

import pg from 'pg';

/** Only ever reachable over 127.0.0.1 of a developer's or a CI machine; a secret would only look like one. */
export const superuser = { name: 'postgres', password: 'postgres' } as const;

/** Whether the server at `url` is the one on this data folder and answers. (On a chosen port, another one may be there already.) */
export async function answers(url: string, dataDir: string): Promise<boolean> {
  return withClient(url, async (client) => {
    const { rows } = await client.query<{ folder: string }>(
      `select current_setting('data_directory') as folder`,
    );
    return rows[0]?.folder === dataDir;
  }).catch(() => false);
}

/** Creates a database and gives its URL. Throws Postgres's own error, as for a name that is taken. */
export async function createDatabase(
  superuserUrl: string,
  name: string,
  template = 'template1',
): Promise<string> {
  const { escapeIdentifier } = pg;
  await withClient(superuserUrl, async (client) => {
    await client.query(
      `create database ${escapeIdentifier(name)} template ${escapeIdentifier(template)}`,
    );
  });
  const url = new URL(superuserUrl);
  url.pathname = `/${encodeURIComponent(name)}`;
  return url.href;
}

async function withClient<Result>(
  connectionString: string,
  use: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 5_000 });
  // A connection that breaks fails the query as well; the event alone would crash us.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await use(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

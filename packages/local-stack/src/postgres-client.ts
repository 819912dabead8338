import pg from 'pg';

/** Whether the server takes a connection and answers on it. */
export async function answers(url: string): Promise<boolean> {
  return withClient(url, async (client) => {
    await client.query('select 1');
    return true;
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

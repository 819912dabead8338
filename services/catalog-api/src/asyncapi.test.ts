import { readFileSync } from 'node:fs';
import { createDatabase } from '@outbound/outbox';
import { quietLogger } from '@outbound/service-kit';
import pg from 'pg';
import { expect, it } from 'vitest';
import { createApi } from './api.ts';
import { apiConfig } from './config.ts';
import { createApiMetrics } from './metrics.ts';

it('serves what it publishes, for machines and as a page that needs nothing from elsewhere', async () => {
  // Never connected to: these answers need no database.
  const pool = new pg.Pool();
  const app = await createApi({
    db: createDatabase(pool),
    logger: quietLogger(),
    metrics: createApiMetrics('test', () => pool),
    publicUrl: undefined,
    verifier: undefined,
    limits: apiConfig.parse({ databaseUrl: 'postgres://u@h/d', auth: 'off' }),
  });
  try {
    const document = await app.inject('/asyncapi.json');
    const kept = new URL('../../../packages/schemas/generated/asyncapi.json', import.meta.url);
    expect(document.json()).toEqual(JSON.parse(readFileSync(kept, 'utf8')));
    const page = await app.inject('/asyncapi');
    expect(page.headers['content-type']).toMatch(/^text\/html/);
    const { channels } = document.json<{ channels: object }>();
    for (const topic of Object.keys(channels)) expect(page.body).toContain(`<code>${topic}</code>`);
    expect(page.body).not.toMatch(/<script|(src|href)="(https?:)?\/\//);
    const links = [...page.body.matchAll(/href="([^"]+)"/g)].map(([, link = '']) => link);
    expect(links).toHaveLength(4);
    for (const link of links)
      expect((await app.inject(`/${link}`)).statusCode, link).toBeLessThan(400);
  } finally {
    await app.close();
  }
});

import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Pipeline } from './pipeline.ts';

/**
 * Tells `npm run outbound` where this pipeline is: `outbound.env` in the data directory, for its owner alone, because there are a password and a token in it.
 * @returns how to take it away again.
 */
export async function writeEnvFile(
  dataDir: string,
  { operatorUrl, brokers, apiUrl, apiToken, issuerDirectory, relayAdminUrl, slot }: Pipeline,
): Promise<() => Promise<void>> {
  const path = join(dataDir, 'outbound.env');
  const settings = {
    OUTBOUND_DATABASE_URL: operatorUrl,
    OUTBOUND_KAFKA_BROKERS: brokers.join(','),
    OUTBOUND_API_URL: apiUrl,
    OUTBOUND_API_TOKEN: apiToken,
    OUTBOUND_ISSUER_DIRECTORY: issuerDirectory,
    OUTBOUND_RELAY_ADMIN_URL: relayAdminUrl,
    OUTBOUND_SLOT: slot,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
  const remove = () => rm(path, { force: true });
  // One that an earlier run left keeps its mode when it is written over.
  await remove();
  await writeFile(path, `# While npm start runs.\n${lines.join('')}`, { mode: 0o600 });
  return remove;
}

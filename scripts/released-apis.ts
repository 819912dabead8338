import { readdirSync, readFileSync } from 'node:fs';

/** Where the OpenAPI document is that the code makes, and where its releases are kept: `<version>.json`, written once. */
export const apiDocument = 'services/catalog-api/generated/openapi.json';
export const apiReleases = 'services/catalog-api/released';

/** A JSON object in a file. */
export function readDocument(path: string): Record<string, unknown> {
  return JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
}

/** Every release of the API. */
export function releasedApis(): readonly Record<string, unknown>[] {
  return readdirSync(apiReleases).map((name) => readDocument(`${apiReleases}/${name}`));
}

import { copyFileSync, constants, mkdirSync } from 'node:fs';
import { judgeApi } from '@outbound/contract';
import { apiVersion } from '../services/catalog-api/src/api.ts';
import { apiDocument, apiReleases, readDocument, releasedApis } from './released-apis.ts';

/** `npm run release-api`: keeps the OpenAPI document under its version, never over an existing one. From then on it is the measure of what callers may rely on. */
mkdirSync(apiReleases, { recursive: true });
const problems = judgeApi(readDocument(apiDocument), releasedApis());
if (problems.every((problem) => problem.includes('is not released'))) {
  const path = `${apiReleases}/${apiVersion}.json`;
  if (problems.length > 0) {
    copyFileSync(apiDocument, path, constants.COPYFILE_EXCL);
    console.log(`wrote ${path}`);
  }
} else {
  console.error(problems.join('\n'));
  process.exitCode = 3;
}

import { type Level } from './change.ts';
import { compareApis } from './compare-apis.ts';
import { isObject, type SchemaObject } from './schema-node.ts';
import { bumped, compareVersions } from './semver.ts';

const levels: readonly Level[] = ['PATCH', 'MINOR', 'MAJOR'];

/**
 * What has to be done about an OpenAPI document beside its releases, one sentence each; empty if all is well. A break is refused whatever the version says (Zalando rule 106): it needs a
 * resource or a media type of its own (rules 113 and 114).
 * @throws Error if a version is not semantic (rule 116).
 */
export function judgeApi(
  declared: SchemaObject,
  released: readonly SchemaObject[],
): readonly string[] {
  const version = versionOf(declared);
  const [newest] = [...released].sort((a, b) => compareVersions(versionOf(b), versionOf(a)));
  const unreleased = `version ${version} is not released: run \`npm run release-api\``;
  if (newest === undefined) return [unreleased];
  const since = versionOf(newest);
  const changes = compareApis(newest, declared);
  const level = levels.findLast((each) => changes.some((change) => change.level === each));
  const texts = changes.filter((change) => change.level === level).map(({ text }) => text);
  if (level === 'MAJOR')
    return [...texts, 'these break callers: add beside what there is (rules 106, 113, 114)'];
  if (level !== undefined && compareVersions(version, bumped(since, level)) < 0)
    return [
      ...texts,
      `these are ${level} changes since ${since}: say version ${bumped(since, level)}`,
    ];
  if (compareVersions(version, since) < 0)
    return [`version ${version} is older than the release ${since}`];
  return compareVersions(version, since) > 0 ? [unreleased] : [];
}

/** `info.version` of an OpenAPI document. */
function versionOf({ info }: SchemaObject): string {
  return isObject(info) ? String(info['version']) : '';
}

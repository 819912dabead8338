import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify, stripVTControlCharacters } from 'node:util';
import { StackError } from '../errors.ts';
import { cached, cacheRoot } from './cache.ts';
import type { Guardian } from './guardian.ts';

/** What a Java program needs from Maven Central; what these need themselves comes with them. */
export interface JarSet {
  /** For the cache: `kafka-4.3.1`. */
  readonly name: string;
  /** For people: `Apache Kafka 4.3.1`. */
  readonly what: string;
  /** Group, artifact and version of each. */
  readonly artifacts: readonly (readonly [group: string, artifact: string, version: string])[];
}

const pomOf = ({
  artifacts,
}: JarSet): string => `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>outbound</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
${artifacts.map(([group, artifact, version]) => `    <dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`).join('\n')}
  </dependencies>
</project>
`;

/** Name in the cache: another set of artifacts is another folder. */
const cacheName = (jars: JarSet): string =>
  `${jars.name}-${createHash('sha256').update(pomOf(jars)).digest('hex').slice(0, 8)}`;

/** Whether the jars are here already, so that Maven is not needed. */
export async function jarSetIsCached(jars: JarSet): Promise<boolean> {
  return stat(join(cacheRoot(), cacheName(jars))).then(
    () => true,
    () => false,
  );
}

/**
 * The class path of the jars, in an order that stays the same. Fetched with Maven once per machine, which checks them against the checksums of the repository.
 * @throws StackError with what Maven says.
 */
export async function jarSetClassPath(
  jars: JarSet,
  log: (line: string) => void = () => undefined,
): Promise<string> {
  const folder = await cached(cacheName(jars), async (draft, guardian) => {
    log(`fetching ${jars.what} with Maven (once)`);
    await fetchJars(jars, draft, guardian);
  });
  const names = (await readdir(folder)).filter((name) => name.endsWith('.jar')).sort();
  return names.map((name) => join(folder, name)).join(':');
}

async function fetchJars(jars: JarSet, folder: string, guardian: Guardian): Promise<void> {
  const project = await guardian.temporaryFolder('outbound-maven-');
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(join(project, 'pom.xml'), pomOf(jars));
    await promisify(execFile)(
      'mvn',
      [
        '-q',
        '-B',
        '--strict-checksums',
        'dependency:copy-dependencies',
        `-DoutputDirectory=${folder}`,
        '-DincludeScope=runtime',
      ],
      { cwd: project, maxBuffer: 64 * 1024 * 1024 },
    );
  } catch (error) {
    const said = error instanceof Error && 'stdout' in error ? String(error.stdout) : String(error);
    const why = stripVTControlCharacters(said).trim().split('\n')[0] ?? '';
    throw new StackError(
      `Maven could not fetch ${jars.what}: check the network and ~/.m2/settings.xml. It says: ${why}`,
      { cause: error },
    );
  } finally {
    await rm(project, { recursive: true, force: true });
  }
}

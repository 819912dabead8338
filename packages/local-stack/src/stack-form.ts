import { StackError } from './errors.ts';

/** Embedded servers as our own processes, or containers of the official images. */
export type StackForm = 'processes' | 'containers';

/** What was found on the machine. */
export interface Prerequisites {
  /** Major version of the Java runtime; undefined where there is none. */
  readonly javaMajor: number | undefined;
  /** Kafka's jars are in the cache already, so that Maven is not needed. */
  readonly jarsCached: boolean;
  readonly maven: boolean;
  readonly docker: boolean;
}

/** Kafka 4 is compiled for Java 17. Source: Kafka 4.0 upgrade notes. */
export const lowestJavaMajor = 17;

/** The value of OUTBOUND_STACK; unset and empty are undefined. @throws StackError for any other word. */
export function parseForm(value: string | undefined): StackForm | undefined {
  if (value === undefined || value === '') return undefined;
  if (value === 'processes' || value === 'containers') return value;
  throw new StackError(
    `OUTBOUND_STACK=${value} is not known: set it to processes or containers, or leave it out`,
  );
}

/**
 * Which form to run: the one asked for, else processes where they can run, else containers.
 * @throws StackError one sentence that names what is missing and each way to cure it.
 */
export function decideForm(requested: StackForm | undefined, found: Prerequisites): StackForm {
  const missing = missingForProcesses(found);
  if (requested === 'containers') {
    if (found.docker) return 'containers';
    throw new StackError(
      'OUTBOUND_STACK=containers needs a Docker engine and none answers: start it (systemctl start docker) or check DOCKER_HOST, or set OUTBOUND_STACK=processes',
    );
  }
  if (!missing) return 'processes';
  if (requested === 'processes')
    throw new StackError(`${missing.what}: ${missing.cure}, or ${startDocker}`);
  if (found.docker) return 'containers';
  throw new StackError(
    `${missing.what}, and no Docker engine answers either: ${missing.cure}, or ${startDocker}`,
  );
}

const installJava = `install Java ${lowestJavaMajor} or newer (apt-get install openjdk-17-jre-headless)`;
const installMaven = 'install Maven (apt-get install maven)';
const startDocker = 'start a Docker engine and set OUTBOUND_STACK=containers';

function missingForProcesses(found: Prerequisites): { what: string; cure: string } | undefined {
  const { javaMajor, jarsCached, maven } = found;
  const noMaven = !jarsCached && !maven;
  if (javaMajor === undefined || javaMajor < lowestJavaMajor)
    return {
      what:
        javaMajor === undefined
          ? 'Kafka needs Java and none was found on PATH or in JAVA_HOME'
          : `Kafka needs Java ${lowestJavaMajor}+ and this is Java ${javaMajor}`,
      cure: noMaven ? `${installJava} and ${installMaven}` : installJava,
    };
  if (noMaven)
    return {
      what: "Kafka's jars are fetched once with Maven and there is no mvn on PATH",
      cure: installMaven,
    };
  return undefined;
}

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

const installJava = `install Java ${lowestJavaMajor} or newer (apt-get install openjdk-17-jre-headless) and Maven (apt-get install maven)`;
const startDocker = 'start a Docker engine and set OUTBOUND_STACK=containers';

/**
 * Which form to run: the one asked for, else processes where they can run, else containers.
 * @param requested the option `form` or the variable OUTBOUND_STACK.
 * @throws StackError one sentence that names what is missing and each way to cure it.
 */
export function decideForm(requested: string | undefined, found: Prerequisites): StackForm {
  switch (requested) {
    case 'processes': {
      const missing = missingForProcesses(found);
      if (missing) throw new StackError(`${missing}: ${installJava}, or ${startDocker}`);
      return 'processes';
    }
    case 'containers':
      if (!found.docker)
        throw new StackError(
          'OUTBOUND_STACK=containers needs a Docker engine and none answers: start it (systemctl start docker) or check DOCKER_HOST, or set OUTBOUND_STACK=processes',
        );
      return 'containers';
    case undefined:
    case '': {
      const missing = missingForProcesses(found);
      if (!missing) return 'processes';
      if (found.docker) return 'containers';
      throw new StackError(
        `${missing}, and no Docker engine answers either: ${installJava}, or ${startDocker}`,
      );
    }
    default:
      throw new StackError(
        `OUTBOUND_STACK=${requested} is not known: set it to processes or containers, or leave it out`,
      );
  }
}

function missingForProcesses({ javaMajor, jarsCached, maven }: Prerequisites): string | undefined {
  if (javaMajor === undefined) return 'Kafka needs Java and none was found on PATH or in JAVA_HOME';
  if (javaMajor < lowestJavaMajor)
    return `Kafka needs Java ${lowestJavaMajor}+ and this is Java ${javaMajor}`;
  if (!jarsCached && !maven)
    return "Kafka's jars are fetched once with Maven and there is no mvn on PATH";
  return undefined;
}

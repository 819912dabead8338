import { hasMaven, findJava } from './processes/kafka/java.ts';
import { jarsAreCached } from './processes/kafka/jars.ts';
import { decideForm, lowestJavaMajor, parseForm, type StackForm } from './stack-form.ts';

/**
 * The form to run on this machine: the option, else OUTBOUND_STACK, else what is possible. Docker is asked only where it matters.
 * @throws StackError with each way to cure it.
 */
export async function chooseForm(option: StackForm | undefined): Promise<StackForm> {
  const requested = option ?? parseForm(process.env['OUTBOUND_STACK']);
  const java = await findJava();
  const jarsCached = await jarsAreCached();
  const maven = jarsCached || (await hasMaven());
  const processesCan = (java?.major ?? 0) >= lowestJavaMajor && maven;
  const docker =
    requested === 'containers' || (requested === undefined && !processesCan)
      ? await dockerAnswers()
      : false;
  return decideForm(requested, { javaMajor: java?.major, jarsCached, maven, docker });
}

/** The form for Postgres alone, which needs neither Java nor Maven. */
export function postgresForm(option: StackForm | undefined): StackForm {
  return option ?? parseForm(process.env['OUTBOUND_STACK']) ?? 'processes';
}

async function dockerAnswers(): Promise<boolean> {
  // Loaded only here: it takes half a second, and most runs never need it.
  const { getContainerRuntimeClient } = await import('testcontainers');
  return getContainerRuntimeClient().then(
    () => true,
    () => false,
  );
}

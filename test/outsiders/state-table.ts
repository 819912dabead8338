import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { kafkaVersion, startProgram, type Program } from '@outbound/local-stack';
import { documentedFile } from './documented.ts';
import { javaClassPath, loggingJavaCommand, slf4jBinding } from './java-program.ts';

const source = 'test/outsiders/java/StateTable.java';

/** The page's Kafka Streams program, running. */
export interface StateTable extends AsyncDisposable {
  readonly program: Program;
  /** The values of the table at some moment of the last second; undefined while it cannot be read. */
  values(): Promise<string[] | undefined>;
}

/** Starts the program over a compacted topic. */
export async function startStateTable(
  bootstrap: string,
  application: string,
  topic: string,
): Promise<StateTable> {
  documentedFile(source);
  const classPath = await javaClassPath(source, {
    name: `kafka-streams-${kafkaVersion}`,
    what: `Kafka Streams ${kafkaVersion}`,
    artifacts: [['org.apache.kafka', 'kafka-streams', kafkaVersion], slf4jBinding],
  });
  const program = await startProgram({
    what: 'Kafka Streams',
    command: async (folder) => {
      const jvm = await loggingJavaCommand(folder);
      const files = [join(folder, 'state'), join(folder, 'table')];
      return [...jvm, '-cp', classPath, 'StateTable', bootstrap, application, topic, ...files];
    },
  });
  return {
    program,
    values: async () => {
      if (!program.isRunning())
        throw new Error(`Kafka Streams ended and said: ${await program.output()}`);
      const text = await readFile(join(program.folder, 'table'), 'utf8').catch(() => undefined);
      return text?.split('\n').slice(0, -1);
    },
    [Symbol.asyncDispose]: async () => program.close(),
  };
}

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  freePorts,
  jarSetClassPath,
  kafkaVersion,
  startProgram,
  type Program,
} from '@outbound/local-stack';
import { documentedFile } from './documented.ts';
import { loggingJavaCommand, slf4jBinding } from './java-program.ts';

const folderOfFiles = 'test/outsiders/connect';

/** A file of properties of the page, and what is another value in this test than there. */
export interface ConnectFile {
  readonly file: string;
  readonly changed: Readonly<Record<string, string>>;
}

/** Kafka Connect, standalone, running. */
export interface ConnectWorker extends AsyncDisposable {
  readonly program: Program;
  /** @throws Error with its stack trace when a connector or a task of it has failed. */
  refuseFailures(): Promise<void>;
}

/** Starts a worker with the connectors of these files, and waits until each has its task. */
export async function startConnect(
  bootstrap: string,
  connectors: readonly ConnectFile[],
): Promise<ConnectWorker> {
  const classPath = await jarSetClassPath({
    name: 'kafka-connect-debezium',
    what: `Kafka Connect ${kafkaVersion} and Debezium 3.6.1`,
    artifacts: [
      ['org.apache.kafka', 'connect-runtime', kafkaVersion],
      ['org.apache.kafka', 'connect-file', kafkaVersion],
      ['io.debezium', 'debezium-connector-postgres', '3.6.1.Final'],
      slf4jBinding,
    ],
  });
  const [port = 0] = await freePorts(1);
  const url = `http://127.0.0.1:${port}`;
  const program = await startProgram({
    what: 'Kafka Connect',
    command: async (folder) => {
      const place = async (name: string, text: string): Promise<string> => {
        await writeFile(join(folder, name), text);
        return join(folder, name);
      };
      const worker = await place(
        'worker.properties',
        withValues('worker.properties', {
          'bootstrap.servers': bootstrap,
          'offset.storage.file.filename': join(folder, 'offsets'),
          listeners: url,
        }),
      );
      const files: string[] = [];
      for (const { file, changed } of connectors)
        files.push(await place(file, withValues(file, changed)));
      return [
        ...(await loggingJavaCommand(folder)),
        '-cp',
        classPath,
        'org.apache.kafka.connect.cli.ConnectStandalone',
        worker,
        ...files,
      ];
    },
  });
  const refuseFailures = async (): Promise<void> => {
    const failed = (await statuses(url)).flatMap(({ status: { connector, tasks } }) =>
      [connector, ...tasks].filter(({ state }) => state === 'FAILED'),
    );
    if (failed.length > 0) throw new Error(`Kafka Connect: ${failed[0]?.trace ?? 'failed'}`);
  };
  try {
    await program.untilReady(async () => {
      const all = await statuses(url);
      const tasks = all.flatMap(({ status }) => status.tasks);
      return all.length === connectors.length && tasks.length === connectors.length;
    }, 90_000);
    await refuseFailures();
  } catch (error) {
    await program.close();
    throw error;
  }
  return { program, refuseFailures, [Symbol.asyncDispose]: async () => program.close() };
}

interface State {
  readonly state: string;
  readonly trace?: string;
}

async function statuses(url: string): Promise<{ status: { connector: State; tasks: State[] } }[]> {
  const response = await fetch(`${url}/connectors?expand=status`);
  if (!response.ok) throw new Error(`Kafka Connect answers ${response.status}`);
  return Object.values(
    (await response.json()) as Record<string, { status: { connector: State; tasks: State[] } }>,
  );
}

/** The text of a file with other values for some of its properties. @throws Error for a property that the file has not. */
function withValues(file: string, changed: Readonly<Record<string, string>>): string {
  let text = documentedFile(join(folderOfFiles, file));
  for (const [name, value] of Object.entries(changed)) {
    const line = text.split('\n').find((each) => each.startsWith(`${name}=`));
    if (line === undefined) throw new Error(`${file} has no property ${name}`);
    text = text.replace(line, () => `${name}=${value}`);
  }
  return text;
}

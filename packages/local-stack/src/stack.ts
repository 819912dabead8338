import { join } from 'node:path';
import { chooseForm } from './choose-form.ts';
import type { KafkaCluster, KafkaOptions } from './kafka-cluster.ts';
import type { PostgresOptions, PostgresServer } from './postgres-server.ts';
import type { StackForm } from './stack-form.ts';
import { startKafka } from './start-kafka.ts';
import { startPostgres } from './start-postgres.ts';

export interface StackOptions {
  /** Over OUTBOUND_STACK. Without either: processes where they can run, else containers. */
  readonly form?: StackForm;
  readonly brokers?: 1 | 3;
  /** Kept between runs, a folder for each server in it. Without it the data is temporary and removed at the end. */
  readonly dataDir?: string;
  readonly postgres?: Omit<PostgresOptions, 'form' | 'dataDir' | 'log'>;
  readonly kafka?: Omit<KafkaOptions, 'form' | 'dataDir' | 'log' | 'brokers'>;
  /** Told of what takes long, such as the first fetch of Kafka. */
  readonly log?: (line: string) => void;
}

/** A Postgres and a Kafka, ended together. */
export interface Stack extends AsyncDisposable {
  readonly form: StackForm;
  readonly postgres: PostgresServer;
  readonly kafka: KafkaCluster;
  /** Ends both for good; temporary data is removed. Any number of times. */
  stop(): Promise<void>;
}

/**
 * Starts Postgres and Kafka side by side and comes back when both are usable. They do not keep this process alive, and they end with it however it ends
 * (a return, Ctrl-C, SIGKILL), kept data in good order.
 * @throws StackError saying what is missing and how to get it, or the end of the log of the server that failed.
 */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const { brokers = 1, dataDir, log } = options;
  const form = await chooseForm(options.form);
  const common = { form, ...(log && { log }) };
  const folder = (name: string): { dataDir?: string } =>
    dataDir === undefined ? {} : { dataDir: join(dataDir, name) };
  const { major = 18 } = options.postgres ?? {};
  const [postgres, kafka] = await allOrNone(
    startPostgres({ ...options.postgres, ...common, ...folder(`postgres-${major}`) }),
    startKafka({ ...options.kafka, ...common, brokers, ...folder(`kafka-${brokers}`) }),
  );
  const stop = async (): Promise<void> => {
    await Promise.all([postgres.close(), kafka.close()]);
  };
  return { form, postgres, kafka, stop, [Symbol.asyncDispose]: stop };
}

interface Closable {
  close(): Promise<void>;
}

/** Both, or neither: what did start is closed again when the other fails. */
async function allOrNone<One extends Closable, Other extends Closable>(
  first: Promise<One>,
  second: Promise<Other>,
): Promise<[One, Other]> {
  const [one, other] = await Promise.allSettled([first, second]);
  if (one.status === 'fulfilled' && other.status === 'fulfilled') return [one.value, other.value];
  if (one.status === 'fulfilled') await one.value.close();
  if (other.status === 'fulfilled') await other.value.close();
  throw one.status === 'rejected' ? one.reason : (other as PromiseRejectedResult).reason;
}

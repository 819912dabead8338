import { outbound } from '../../packages/cli/src/test-support/outbound.ts';
import type { TestPipeline } from './test-pipeline.ts';
import { urlAs } from './test-stack.ts';

/** What `outbound recover` answers. */
export interface RecoverAnswer {
  readonly missingEvents: number;
  readonly emitted: number;
  readonly filled: number;
  readonly heldMs: number;
}

/** `outbound recover` for the pipeline's slot, as the operator, in this process. */
export async function recover(
  pipeline: TestPipeline,
  options: readonly string[] = [],
  signal = new AbortController().signal,
  onNote: (text: string) => void = () => undefined,
  env: Readonly<Record<string, string>> = {},
) {
  const run = await outbound(['--json', 'recover', ...options], {
    signal,
    onNote,
    env: {
      OUTBOUND_DATABASE_URL: urlAs(pipeline.databaseUrl, 'outbound_operator'),
      OUTBOUND_KAFKA_BROKERS: pipeline.stack.kafka.bootstrap.join(','),
      OUTBOUND_TOPIC_PREFIX: pipeline.topicPrefix,
      OUTBOUND_SLOT: pipeline.slot,
      ...env,
    },
  });
  return { ...run, answer: () => run.json()[0] as RecoverAnswer };
}

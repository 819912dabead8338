import { loadEventTypes, type EventTypeRegistry } from '@outbound/contract';
import { eventTypes as builtIn } from '@outbound/schemas';
import type { CliContext } from '../context.ts';
import { cliPrefix } from '../cli-prefix.ts';
import { exitCodes, type ExitCode } from '../exit-codes.ts';
import type { AddVerb } from '../verb.ts';
import { aclArguments, aclsScript, defaultPrincipals } from './acls-script.ts';
import { kafkaRights } from './kafka-rights.ts';

interface Options {
  readonly relay: string;
  readonly provision: string;
  readonly operator: string;
  readonly consumer: string;
  readonly group: readonly string[];
  readonly topic: readonly string[];
  readonly deadLetters?: string;
}

const collect = (text: string, before: readonly string[] = []) => [...before, text];

/** `outbound acls`: the rights in Kafka that the declared event types need, as a script for Kafka's own tool. Asks nobody. */
export const addAcls: AddVerb = (verb, bind) => {
  verb
    .option('--relay <principal>', 'who the relay is', defaultPrincipals.relay)
    .option('--provision <principal>', 'who makes topics', defaultPrincipals.provision)
    .option('--operator <principal>', 'who uses this command line', defaultPrincipals.operator)
    .option('--consumer <principal>', 'who reads', defaultPrincipals.consumer)
    .option('--group <name>', 'consumer group; again for each', collect, [])
    .option(
      '--topic <name>',
      'topic that the groups read, with its prefix; again for each (default: all declared)',
      collect,
      [],
    )
    .option('--dead-letters <topic>', "the consumers' dead-letter topic")
    .addHelpText(
      'after',
      `
Examples:
  outbound acls --group billing --dead-letters billing.dead-letters > acls.sh
  KAFKA_ACLS=/opt/kafka/bin/kafka-acls.sh sh acls.sh --bootstrap-server kafka:9092 --command-config admin.properties`,
    )
    .action(bind(printAcls));
};

async function printAcls({ settings, output }: CliContext, options: Options): Promise<ExitCode> {
  const eventTypes: EventTypeRegistry =
    settings.eventTypes === undefined
      ? builtIn
      : await loadEventTypes(settings.eventTypes, `${cliPrefix}EVENT_TYPES`);
  const { topic: topics, deadLetters } = options;
  const rights = kafkaRights({
    eventTypes,
    topicPrefix: settings.topicPrefix,
    slot: settings.slot,
    groups: options.group.map((group) => ({ group, topics, deadLetters })),
  });
  output.answer(
    rights.map((right) => ({ ...right, kafka_acls: aclArguments(right, options) })),
    aclsScript(rights, options).trimEnd(),
  );
  return exitCodes.done;
}

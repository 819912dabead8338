import {
  eventJsonSchema,
  withTopicPrefix,
  type EventType,
  type EventTypeRegistry,
  type Route,
} from '@outbound/contract';
import { eventTypes } from '@outbound/schemas';
import { Option } from 'commander';
import type { CliContext } from '../context.ts';
import { CliError, exitCodes, type ExitCode } from '../exit-codes.ts';
import type { AddVerb } from '../verb.ts';
import { addSchemasCheck } from './check-schemas.ts';
import { exampleValue } from './example-value.ts';
import { addSchemasPublish } from './publish-schemas.ts';
import { addSchemasRelease } from './release-schemas.ts';

/**
 * `outbound schemas list`, `schemas show NAME`: the event types that this version declares, as their consumers see
 * them.
 */
export const addSchemas: AddVerb = (schemas, bind) => {
  schemas
    .command('list', { isDefault: true })
    .description('every event type with its version and topics')
    .action(bind((context) => Promise.resolve(list(context))));
  schemas
    .command('show <name>')
    .description('one event type: its schema, or a value that fits it')
    .addOption(
      new Option('--format <form>', 'what to show')
        .choices(['json-schema', 'example'])
        .default('json-schema'),
    )
    .action(
      bind((context, name: string, { format }: { format: 'json-schema' | 'example' }) =>
        Promise.resolve(show(context, name, format)),
      ),
    );
  addSchemasCheck(schemas, bind);
  addSchemasRelease(schemas, bind);
  addSchemasPublish(schemas, bind);
};

function list({ output, settings }: CliContext): ExitCode {
  const declared = [...withTopicPrefix(eventTypes, settings.topicPrefix).values()];
  output.answer(declared.map(toJson), () =>
    output.table(
      ['EVENT TYPE', 'VERSION', 'OWNER', 'MODE', 'TOPIC', 'PARTITIONS', 'KEEPS'],
      declared.flatMap(({ name, version, owner, compatibilityMode, routes }) =>
        routes.map((route, index) => [
          ...(index === 0 ? [name, version, owner, compatibilityMode] : ['', '', '', '']),
          route.topic,
          String(route.partitions),
          keeps(route),
        ]),
      ),
    ),
  );
  return exitCodes.done;
}

function show({ output }: CliContext, name: string, format: 'json-schema' | 'example'): ExitCode {
  const schema = eventJsonSchema(eventTypeNamed(eventTypes, name));
  const shown = format === 'example' ? exampleValue(schema) : schema;
  output.answer(shown, () => JSON.stringify(shown, null, 2));
  return exitCodes.done;
}

/** @throws CliError EVENT_TYPE_UNKNOWN, naming those there are. */
function eventTypeNamed(registry: EventTypeRegistry, name: string): EventType {
  const found = registry.get(name);
  if (found) return found;
  throw new CliError(
    'EVENT_TYPE_UNKNOWN',
    `there is no event type ${name}: there are ${[...registry.keys()].join(', ')}`,
    { exitCode: exitCodes.usage },
  );
}

function toJson({
  name,
  version,
  category,
  owner,
  dataType,
  compatibilityMode,
  routes,
}: EventType) {
  return {
    name,
    version,
    category,
    owner,
    data_type: dataType,
    compatibility_mode: compatibilityMode,
    topics: routes.map(({ topic, partitions, cleanupPolicy, retentionMs, forms }) => ({
      topic,
      partitions,
      cleanup_policy: cleanupPolicy,
      retention_ms: retentionMs,
      forms,
    })),
  };
}

function keeps({ cleanupPolicy, retentionMs }: Route): string {
  const days = `${retentionMs / 86_400_000} days`;
  return cleanupPolicy === 'compact' ? `the latest per key; deletions ${days}` : days;
}

import {
  RegistryError,
  registrySubjects,
  SchemaRegistry,
  withTopicPrefix,
} from '@outbound/contract';
import { eventTypes } from '@outbound/schemas';
import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { CliError, exitCodes, type ExitCode } from '../exit-codes.ts';
import type { Bind } from '../verb.ts';

interface PublishOptions {
  readonly registry: string;
  readonly dryRun?: boolean;
}

/** `outbound schemas publish`: puts the schema of every topic into a Confluent-compatible registry. */
export function addSchemasPublish(schemas: Command, bind: Bind): void {
  schemas
    .command('publish')
    .description('Registers the schemas in a Confluent-compatible registry, one subject a topic.')
    .requiredOption(
      '--registry <url>',
      'its API, user and password in the URL if it wants them (Apicurio: http://host:8080/apis/ccompat/v7)',
    )
    .option('--dry-run', 'ask what the registry would say, and register nothing')
    .action(bind((context, options: PublishOptions) => publish(context, options)));
}

async function publish(
  { output, settings }: CliContext,
  { registry: url, dryRun = false }: PublishOptions,
): Promise<ExitCode> {
  const registry = registryAt(url);
  const subjects = [...withTopicPrefix(eventTypes, settings.topicPrefix).values()].flatMap(
    registrySubjects,
  );
  const results: {
    subject: string;
    compatibility: string;
    compatible: boolean;
    id: number | null;
  }[] = [];
  try {
    for (const { subject, compatibility, schema } of subjects) {
      const { isCompatible } = await registry.check(subject, schema);
      results.push({ subject, compatibility, compatible: isCompatible, id: null });
    }
    const isAllowed = results.every(({ compatible }) => compatible);
    // All or nothing, as far as a registry without transactions lets it be.
    if (isAllowed && !dryRun)
      for (const [index, { subject, compatibility, schema }] of subjects.entries()) {
        await registry.setCompatibility(subject, compatibility);
        const id = await registry.register(subject, schema);
        const result = results[index];
        if (result !== undefined) result.id = id;
      }
    output.answer(results, () =>
      output.table(
        ['SUBJECT', 'COMPATIBILITY', 'VERDICT', 'ID'],
        results.map(({ subject, compatibility, compatible, id }) => [
          subject,
          compatibility,
          compatible ? 'compatible' : 'INCOMPATIBLE',
          id === null ? '–' : String(id),
        ]),
      ),
    );
    return isAllowed ? exitCodes.done : exitCodes.differs;
  } catch (cause) {
    if (!(cause instanceof RegistryError)) throw cause;
    throw new CliError('REGISTRY_FAILED', cause.message, {
      exitCode: cause.status === undefined ? exitCodes.unavailable : exitCodes.failed,
      cause,
    });
  }
}

function registryAt(url: string): SchemaRegistry {
  if (!URL.canParse(url) || !/^https?:/.test(url))
    throw new CliError('USAGE', '--registry is no http or https URL', {
      exitCode: exitCodes.usage,
    });
  return new SchemaRegistry({ url });
}

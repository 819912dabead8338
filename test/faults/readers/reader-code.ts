import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type * as consumer from '@outbound/consumer';
import type * as schemas from '@outbound/schemas';

/** The consumer's package of a checkout, which need not be this one. @param root of its repository. */
export async function readerCode(root: string): Promise<typeof consumer> {
  return (await imported(root, 'packages/consumer/src/index.ts')) as typeof consumer;
}

/** The package of event types of a checkout. @param root of its repository. */
export async function schemaCode(root: string): Promise<typeof schemas> {
  return (await imported(root, 'packages/schemas/src/index.ts')) as typeof schemas;
}

async function imported(root: string, path: string): Promise<unknown> {
  return import(pathToFileURL(join(root, path)).href);
}

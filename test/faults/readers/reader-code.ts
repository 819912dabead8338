import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type * as consumer from '@outbound/consumer';
import type * as contract from '@outbound/contract';

/** The consumer's package of a checkout, which need not be this one. @param root of its repository. */
export async function readerCode(root: string): Promise<typeof consumer> {
  return (await imported(root, 'packages/consumer/src/index.ts')) as typeof consumer;
}

/**
 * The package that event types are declared with, of a checkout. One that is older than `packages/contract` has it in `packages/schemas`.
 * @param root of its repository.
 */
export async function contractCode(root: string): Promise<typeof contract> {
  const path = 'packages/contract/src/index.ts';
  const isOlder = !existsSync(join(root, path));
  return (await imported(
    root,
    isOlder ? 'packages/schemas/src/index.ts' : path,
  )) as typeof contract;
}

async function imported(root: string, path: string): Promise<unknown> {
  return import(pathToFileURL(join(root, path)).href);
}

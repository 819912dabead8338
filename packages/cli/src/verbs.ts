import type { AddVerb } from './verb.ts';

/** Every verb, in the order of the help. */
export const verbs: readonly AddVerb[] = [];

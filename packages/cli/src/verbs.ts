import { addAcls } from './acls/acls-verb.ts';
import { addBackfill } from './backfill/backfill-verb.ts';
import { addDeadLetters } from './dead-letters/dead-letters-verb.ts';
import { addDoctor } from './doctor/doctor-verb.ts';
import { addErase } from './erase/erase-verb.ts';
import { addImport } from './import/import-verb.ts';
import { addLatest } from './latest/latest-verb.ts';
import { addRebuild } from './rebuild/rebuild-verb.ts';
import { addRecover } from './recover/recover-verb.ts';
import { addReplay } from './replay/replay-verb.ts';
import { addSchemas } from './schemas/schemas-verb.ts';
import { addStatus } from './status/status-verb.ts';
import { addTail } from './tail/tail-verb.ts';
import { addToken } from './token/token-verb.ts';
import { addTrace } from './trace/trace-verb.ts';
import { addVerify } from './verify/verify-verb.ts';
import type { AddVerb } from './verb.ts';

/** Every verb, in the order of the help. */
export const verbs: readonly AddVerb[] = [
  // One a line: looking first, then moving, then the rest.
  addStatus,
  addDoctor,
  addTail,
  addLatest,
  addTrace,
  addVerify,
  addRebuild,
  addBackfill,
  addReplay,
  addRecover,
  addDeadLetters,
  addErase,
  addImport,
  addSchemas,
  addToken,
  addAcls,
];

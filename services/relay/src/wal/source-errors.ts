import { connectionFault } from '@outbound/service-kit';
import { RelayError, type RelayErrorCode } from '../errors.ts';

/** SQLSTATEs by name. Source: https://www.postgresql.org/docs/current/errcodes-appendix.html */
export const sqlState = {
  protocolViolation: '08P01',
  featureNotSupported: '0A000',
  readOnlyTransaction: '25006',
  invalidAuthorization: '28000',
  invalidPassword: '28P01',
  unknownDatabase: '3D000',
  insufficientPrivilege: '42501',
  syntaxError: '42601',
  undefinedObject: '42704',
  duplicateObject: '42710',
  undefinedTable: '42P01',
  notInPrerequisiteState: '55000',
  objectInUse: '55006',
  adminShutdown: '57P01',
  crashShutdown: '57P02',
  cannotConnectNow: '57P03',
  undefinedFile: '58P01',
} as const;

/** `connect`: before the first answer. `check`: start-up questions. `start`: START_REPLICATION. `stream`: after it began. */
export type SourcePhase = 'connect' | 'check' | 'start' | 'stream';

type CodeByPhase = RelayErrorCode | Readonly<Record<SourcePhase, RelayErrorCode>>;

/** What follows from a SQLSTATE; where it means different things, by phase, since the server's text may be translated. */
const codeBySqlState: Readonly<Record<string, CodeByPhase>> = {
  // A pooler refuses the parameter `replication` or `options` so; in a stream it is a malformed frame of ours.
  [sqlState.protocolViolation]: {
    connect: 'SOURCE_UNSUPPORTED',
    check: 'SOURCE_UNSUPPORTED',
    start: 'SOURCE_UNSUPPORTED',
    stream: 'DECODE_PROTOCOL',
  },
  [sqlState.invalidAuthorization]: 'SOURCE_AUTH_FAILED',
  [sqlState.invalidPassword]: 'SOURCE_AUTH_FAILED',
  [sqlState.insufficientPrivilege]: 'SOURCE_AUTH_FAILED',
  [sqlState.unknownDatabase]: 'CONFIG_INVALID',
  [sqlState.syntaxError]: 'SOURCE_UNSUPPORTED',
  [sqlState.undefinedObject]: {
    connect: 'INVARIANT_BROKEN',
    check: 'INVARIANT_BROKEN',
    start: 'SOURCE_SLOT_MISSING',
    // The publication, as it was at that place in the log (Postgres 15 to 17).
    stream: 'SOURCE_PUBLICATION_MISSING',
  },
  [sqlState.undefinedTable]: 'SOURCE_OUTBOX_MISSING',
  [sqlState.duplicateObject]: 'SOURCE_SLOT_BUSY',
  [sqlState.objectInUse]: 'SOURCE_SLOT_BUSY',
  // A server that was demoted under us takes no writes, makes no slot and has no current position.
  [sqlState.readOnlyTransaction]: 'SOURCE_IN_RECOVERY',
  [sqlState.notInPrerequisiteState]: {
    connect: 'SOURCE_IN_RECOVERY',
    check: 'SOURCE_IN_RECOVERY',
    start: 'SOURCE_SLOT_INVALIDATED',
    stream: 'SOURCE_SLOT_INVALIDATED',
  },
  [sqlState.undefinedFile]: 'SOURCE_SLOT_INVALIDATED',
};

/** Classes that heal by themselves: connection exceptions, insufficient resources, operator intervention, rollbacks, errors of the server's system. */
const transientClasses = new Set(['08', '53', '57', '40', '58']);

/** node-postgres has no codes for what it notices itself. */
const transientMessages =
  /^(Connection terminated|timeout expired|Query read timeout|Client was closed|Client has encountered a connection error|There was an error establishing an SSL connection)/;
const credentialMessages = /^(SASL|The server does not support SSL|Password must be a string)/;

/**
 * Any error of the driver or the server as a RelayError. Only the server's one-line message is repeated: `detail` and `where` may hold
 * row values. What is not known is a defect, and halts.
 */
export function toSourceError(thrown: unknown, phase: SourcePhase, doing: string): RelayError {
  if (thrown instanceof RelayError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const code = codeOf(thrown);
  const where = code === undefined ? doing : `${doing} (${code})`;
  return new RelayError(relayCode(thrown, code, message, phase), `${where}: ${message}`, {
    cause: thrown,
  });
}

/** The SQLSTATE or system code of an error, if it has one. */
export function codeOf(thrown: unknown): string | undefined {
  if (typeof thrown !== 'object' || thrown === null || !('code' in thrown)) return undefined;
  return typeof thrown.code === 'string' ? thrown.code : undefined;
}

/** True if the server said that it stops, or is not open yet. */
export function isServerStopping(thrown: unknown): boolean {
  const code = codeOf(thrown);
  return (
    code === sqlState.adminShutdown ||
    code === sqlState.crashShutdown ||
    code === sqlState.cannotConnectNow
  );
}

function relayCode(
  thrown: unknown,
  code: string | undefined,
  message: string,
  phase: SourcePhase,
): RelayErrorCode {
  const fault = connectionFault(thrown);
  if (fault !== undefined)
    return fault === 'network' ? 'SOURCE_CONNECTION_LOST' : 'SOURCE_AUTH_FAILED';
  if (code !== undefined) {
    const known = codeBySqlState[code];
    if (known !== undefined) return typeof known === 'string' ? known : known[phase];
    if (/^[0-9A-Z]{5}$/.test(code) && transientClasses.has(code.slice(0, 2)))
      return 'SOURCE_CONNECTION_LOST';
    // Certificates and keys that the database URL names are read from files.
    if (isOfFile(thrown)) return 'CONFIG_INVALID';
  }
  if (transientMessages.test(message)) return 'SOURCE_CONNECTION_LOST';
  if (credentialMessages.test(message)) return 'SOURCE_AUTH_FAILED';
  return 'INVARIANT_BROKEN';
}

function isOfFile(thrown: unknown): boolean {
  return thrown instanceof Error && 'path' in thrown && 'syscall' in thrown;
}

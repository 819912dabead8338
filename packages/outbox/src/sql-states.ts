/** SQLSTATEs after which the same transaction may pass: serialization_failure and deadlock_detected. Source: Postgres, "Serialization Failure Handling". */
const retriable = /^(40001|40P01)$/;

/**
 * SQLSTATEs that leave open whether a transaction was committed: statement_completion_unknown, and what is about the connection. Postgres says the
 * first to nobody, but what stands before it, or takes its place, does.
 */
const open = /^(40003|08...)$/;

/** True if the error, or one that it was caused by (drizzle wraps the driver's), is a conflict with another transaction. */
export function isWriteConflict(thrown: unknown): boolean {
  return hasState(thrown, retriable);
}

/** True if the answer to COMMIT says itself that its outcome is not known. */
export function leavesOutcomeOpen(thrown: unknown): boolean {
  return hasState(thrown, open);
}

function hasState(thrown: unknown, states: RegExp): boolean {
  for (let error = thrown; error instanceof Error; error = error.cause)
    if ('code' in error && typeof error.code === 'string' && states.test(error.code)) return true;
  return false;
}

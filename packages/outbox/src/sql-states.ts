/** SQLSTATEs after which the same transaction may pass: serialization_failure and deadlock_detected. Source: Postgres, "Serialization Failure Handling". */
const retriable = /^(40001|40P01)$/;

/**
 * SQLSTATEs that leave open whether a transaction was committed: statement_completion_unknown, and what is about the connection. Postgres says the
 * first to nobody, but what stands before it, or takes its place, does.
 */
const open = /^(40003|08...)$/;

/**
 * SQLSTATEs of a prepared statement that its session does not have (or has twice), and of one whose plan no longer fits: invalid_sql_statement_name, duplicate_prepared_statement,
 * feature_not_supported ("cached plan must not change result type").
 */
const lostStatement = /^(26000|42P05|0A000)$/;

/** True if the error, or one that it was caused by (drizzle wraps the driver's), is a conflict with another transaction. */
export function isWriteConflict(thrown: unknown): boolean {
  return hasState(thrown, retriable);
}

/** True if the answer to COMMIT says itself that its outcome is not known. */
export function leavesOutcomeOpen(thrown: unknown): boolean {
  return hasState(thrown, open);
}

/** True if the session refused a prepared statement by its name or plan, before it did anything. */
export function hasLostStatement(thrown: unknown): boolean {
  return hasState(thrown, lostStatement);
}

function hasState(thrown: unknown, states: RegExp): boolean {
  for (let error = thrown; error instanceof Error; error = error.cause)
    if ('code' in error && typeof error.code === 'string' && states.test(error.code)) return true;
  return false;
}

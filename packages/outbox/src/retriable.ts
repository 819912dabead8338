/** SQLSTATEs after which the same transaction may pass: serialization_failure and deadlock_detected. Source: Postgres, "Serialization Failure Handling". */
const retriableStates = new Set(['40001', '40P01']);

/** True if the error, or one that it was caused by (drizzle wraps the driver's), is a conflict with another transaction. */
export function isWriteConflict(thrown: unknown): boolean {
  for (let error = thrown; error instanceof Error; error = error.cause)
    if ('code' in error && typeof error.code === 'string' && retriableStates.has(error.code))
      return true;
  return false;
}

/** A warning of the server within the stream. */
export interface ServerNotice {
  /** SQLSTATE. */
  readonly code: string | undefined;
  /** In the server's language: `lc_messages` is the superuser's to set. */
  readonly message: string;
  /** The C function that it comes from, never translated; undefined where something between us and the server leaves it out. */
  readonly routine: string | undefined;
}

const notInPrerequisiteState = '55000';

/**
 * True if the server says that the publication was not there at this place of the log, so that it decodes on without it (18 and later): rows are left
 * out. Its SQLSTATE alone says nothing: a standby of `synchronized_standby_slots` that is down is warned of with the same one.
 * Where the function is not known, only words could tell; then the answer is yes, because what would be lost is worse than a halt.
 * Source: Postgres 18, pgoutput.c, LoadPublications; slot.c, StandbySlotsHaveCaughtup.
 */
export function tellsOfSkippedPublication({ code, message, routine }: ServerNotice): boolean {
  if (/skipped loading publication/.test(message)) return true;
  if (code !== notInPrerequisiteState) return false;
  return routine === undefined || routine === 'LoadPublications';
}

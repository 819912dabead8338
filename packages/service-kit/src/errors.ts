/**
 * Base of every error that we raise on purpose. `code` is readable and stable (`SOURCE_SLOT_MISSING`); `message`
 * says what is wrong, with which value, and what to do; the original error stays in `cause`. Never a payload or a secret.
 */
export class PipelineError<Code extends string = string> extends Error {
  override readonly name = 'PipelineError';
  readonly code: Code;
  constructor(code: Code, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The stack cannot do what was asked. The message says what is wrong, with which value, and what to do. */
export class StackError extends Error {
  override readonly name = 'StackError';
}

/** Another program holds the port that a server was to listen on. */
export class PortTakenError extends StackError {}

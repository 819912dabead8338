/** Prefix of every setting of the command line in the environment. */
export const cliPrefix = 'OUTBOUND_';

/** Variables with the prefix that belong to the local stack. */
export const foreignPrefixes = ['OUTBOUND_STACK', 'OUTBOUND_DATA_DIR'] as const;

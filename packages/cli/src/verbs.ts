import type { ListedVerb } from './verb.ts';

/**
 * Every verb, in the order of the help: looking first, then moving, then the rest. A verb's module is loaded when the
 * verb is asked for, so that the help and a word that is no verb are answered at once.
 */
export const verbs: readonly ListedVerb[] = [
  {
    name: 'status',
    usage: '',
    description:
      'show the slot, the outbox, the relay, the topics and how far each consumer group is; what cannot be asked is shown as unknown, and ends it with 5',
    load: async () => (await import('./status/status-verb.ts')).addStatus,
  },
  {
    name: 'doctor',
    usage: '',
    description:
      'look at the machine, Postgres, Kafka, the API and the relay, and say how to cure what is wrong (exit code 3 if there is a fault)',
    load: async () => (await import('./doctor/doctor-verb.ts')).addDoctor,
  },
  {
    name: 'tail',
    usage: '<topic>',
    description: 'show the records of a topic as they come (ends with Ctrl-C, exit code 0)',
    load: async () => (await import('./tail/tail-verb.ts')).addTail,
  },
  {
    name: 'latest',
    usage: '<topic> [keys...]',
    description: 'show the current value of each key of a compacted topic',
    load: async () => (await import('./latest/latest-verb.ts')).addLatest,
  },
  {
    name: 'trace',
    usage: '<id>',
    description:
      'where is my event? From the row and the outbox through the slot to each topic and the groups that have read it',
    load: async () => (await import('./trace/trace-verb.ts')).addTrace,
  },
  {
    name: 'verify',
    usage: '[aggregate...]',
    description:
      'prove that the compacted topics say what the tables say, entity by entity (version and content), while traffic goes on',
    load: async () => (await import('./verify/verify-verb.ts')).addVerify,
  },
  {
    name: 'rebuild',
    usage: '<topic>',
    description: 'build the state of a compacted topic in a table, a file or memory',
    load: async () => (await import('./rebuild/rebuild-verb.ts')).addRebuild,
  },
  {
    name: 'backfill',
    usage: '<aggregate>',
    description:
      'emit the current state of entities again (S events; D for deleted rows), through the outbox and under the row lock, while writers go on',
    load: async () => (await import('./backfill/backfill-verb.ts')).addBackfill,
  },
  {
    name: 'replay',
    usage: '[command]',
    description: 'deliver again: set a consumer group back, or publish retained events once more',
    load: async () => (await import('./replay/replay-verb.ts')).addReplay,
  },
  {
    name: 'recover',
    usage: '',
    description:
      'after a lost or dropped slot: a new slot, and everything that is committed and not in Kafka is published by the next relay, in order',
    load: async () => (await import('./recover/recover-verb.ts')).addRecover,
  },
  {
    name: 'dead-letters',
    usage: '[command]',
    description:
      'what the relay could not publish, or a consumer not handle (--topic): see it, send it again in order, or give it up',
    load: async () => (await import('./dead-letters/dead-letters-verb.ts')).addDeadLetters,
  },
  {
    name: 'erase',
    usage: '<aggregate> <id>',
    description:
      "erase an entity's data: from its row (id and version stay), the outbox, kept answers and dead letters now, from the topics by their deadlines; the deletion is published like every change",
    load: async () => (await import('./erase/erase-verb.ts')).addErase,
  },
  {
    name: 'export',
    usage: '<what>',
    description:
      'all entities of one moment, or those that filters leave, as NDJSON, with the position from which the topic goes on; ' +
      'a run into a file that broke off goes on with --resume',
    load: async () => (await import('./export/export-verb.ts')).addExport,
  },
  {
    name: 'import',
    usage: '<file>',
    description:
      'create entities from a CSV or NDJSON file through the API; a run that broke off goes on with --resume, ' +
      'and a repeated one creates nothing twice',
    load: async () => (await import('./import/import-verb.ts')).addImport,
  },
  {
    name: 'schemas',
    usage: '[command]',
    description: 'show the event types: their versions, topics and schemas',
    load: async () => (await import('./schemas/schemas-verb.ts')).addSchemas,
  },
  {
    name: 'token',
    usage: '',
    description:
      "print an access token of the development issuer, for the API of npm start; its keys are made at first use. A production's API does not take it",
    load: async () => (await import('./token/token-verb.ts')).addToken,
  },
  {
    name: 'acls',
    usage: '',
    description:
      'print the least rights in Kafka of relay, provision, operator and a consumer, as a script for kafka-acls.sh',
    load: async () => (await import('./acls/acls-verb.ts')).addAcls,
  },
];

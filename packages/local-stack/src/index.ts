export { StackError } from './errors.ts';
export { freePorts } from './free-ports.ts';
export { cached } from './processes/cache.ts';
export { jarSetClassPath, type JarSet } from './processes/jar-set.ts';
export { findJava, type Java } from './processes/kafka/java.ts';
export { kafkaVersion } from './processes/kafka/jars.ts';
export { startProgram, type Program, type ProgramOptions } from './processes/program.ts';
export { startKafka } from './start-kafka.ts';
export type {
  Endpoint,
  KafkaBroker,
  KafkaCluster,
  KafkaOptions,
  KafkaTool,
  ToolOptions,
  ToolResult,
} from './kafka-cluster.ts';
export { startPostgres } from './start-postgres.ts';
export type {
  PostgresMajor,
  PostgresOptions,
  PostgresServer,
  StopMode,
} from './postgres-server.ts';
export type { StackForm } from './stack-form.ts';
export { startStack, type Stack, type StackOptions } from './stack.ts';

import type { StackForm } from './stack-form.ts';

/** A host and a TCP port. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export interface KafkaOptions {
  readonly form?: StackForm;
  readonly brokers?: 1 | 3;
  /** Kept between runs. Without it the data is temporary and removed at the end. */
  readonly dataDir?: string;
  /** Over the defaults of `brokerProperties`, for every broker. */
  readonly settings?: Readonly<Record<string, string>>;
  /**
   * Where clients are told to find a broker, for a fault proxy in front of it: called with the broker's own endpoint before it starts. Called again for other endpoints
   * in the rare case that a port was taken in between. Brokers and `tool` never pass through it.
   */
  readonly advertise?: (broker: Endpoint & { nodeId: number }) => Promise<Endpoint>;
  /** `quick`: compiles little, starts fast, for tests. `throughput`: Java's own choices, for benchmarks. Default `quick`. */
  readonly jvm?: 'quick' | 'throughput';
  /** Java heap of each broker. Default 512, with three brokers 384. */
  readonly heapMb?: number;
  readonly log?: (line: string) => void;
}

/** Output of one of Kafka's own command-line tools. */
export interface ToolResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

export interface ToolOptions {
  /** Standard input, as for `console-producer`. */
  readonly input?: string;
  /** Default 60 s. */
  readonly timeoutMs?: number;
}

/** Apache Kafka in KRaft mode; every node is broker and controller. */
export interface KafkaCluster extends AsyncDisposable {
  readonly form: StackForm;
  /** `host:port` of each broker, as clients should use it: through `advertise` where that was given. */
  readonly bootstrap: string[];
  /** The same without any proxy, for clients that check what the others did. */
  readonly directBootstrap: string[];
  readonly brokers: readonly KafkaBroker[];
  /** @throws StackError for a node that is not there. */
  broker(nodeId: number): KafkaBroker;
  /** Runs one of Kafka's tools against the brokers; an exit code other than 0 is a result, not an error. */
  tool(name: KafkaTool, args: readonly string[], options?: ToolOptions): Promise<ToolResult>;
  /** Stops every broker that runs and keeps ports and data for `start`. */
  stop(): Promise<void>;
  /** Starts every broker that does not run. */
  start(): Promise<void>;
  /** Ends the cluster for good; temporary data is removed. Any number of times. */
  close(): Promise<void>;
}

export interface KafkaBroker {
  /** 1, 2, 3. */
  readonly nodeId: number;
  /** `host:port` that clients are told. */
  readonly address: string;
  /** `host:port` without any proxy. */
  readonly directAddress: string;
  /** @throws StackError when it is not running, or inside a container. */
  readonly pid: number;
  readonly logFile: string;
  /** SIGKILL: no controlled shutdown, no flush. */
  kill(): Promise<void>;
  /** Controlled shutdown. @throws StackError when it is still running after `timeoutMs` (60 s). */
  stop(options?: { timeoutMs?: number }): Promise<{ durationMs: number }>;
  /** Starts again on the same ports and data; comes back when it is a member of the cluster. */
  start(): Promise<void>;
  /** Stops it where it stands (SIGSTOP): its sockets stay open and silent. */
  pause(): Promise<void>;
  resume(): Promise<void>;
}

export type KafkaTool = keyof typeof kafkaTools;

/** Kafka's tools by the middle of their script's name, with the option that takes the brokers. */
export const kafkaTools = {
  acls: { main: 'org.apache.kafka.tools.AclCommand', bootstrap: true },
  'broker-api-versions': {
    main: 'org.apache.kafka.tools.BrokerApiVersionsCommand',
    bootstrap: true,
  },
  configs: { main: 'kafka.admin.ConfigCommand', bootstrap: true },
  'console-consumer': { main: 'org.apache.kafka.tools.consumer.ConsoleConsumer', bootstrap: true },
  'console-producer': { main: 'org.apache.kafka.tools.ConsoleProducer', bootstrap: true },
  'consumer-groups': {
    main: 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand',
    bootstrap: true,
  },
  'consumer-perf-test': { main: 'org.apache.kafka.tools.ConsumerPerformance', bootstrap: true },
  'delete-records': { main: 'org.apache.kafka.tools.DeleteRecordsCommand', bootstrap: true },
  'dump-log': { main: 'org.apache.kafka.tools.DumpLogSegments', bootstrap: false },
  'get-offsets': { main: 'org.apache.kafka.tools.GetOffsetShell', bootstrap: true },
  'leader-election': { main: 'org.apache.kafka.tools.LeaderElectionCommand', bootstrap: true },
  'log-dirs': { main: 'org.apache.kafka.tools.LogDirsCommand', bootstrap: true },
  'metadata-quorum': { main: 'org.apache.kafka.tools.MetadataQuorumCommand', bootstrap: true },
  'producer-perf-test': { main: 'org.apache.kafka.tools.ProducerPerformance', bootstrap: true },
  'reassign-partitions': {
    main: 'org.apache.kafka.tools.reassign.ReassignPartitionsCommand',
    bootstrap: true,
  },
  topics: { main: 'org.apache.kafka.tools.TopicCommand', bootstrap: true },
  transactions: { main: 'org.apache.kafka.tools.TransactionsCommand', bootstrap: true },
} as const satisfies Record<string, { main: string; bootstrap: boolean }>;

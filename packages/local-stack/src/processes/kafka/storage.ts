import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StackError } from '../../errors.ts';
import { propertiesText } from '../../broker-properties.ts';
import { newKafkaId } from '../../kafka-id.ts';

/**
 * What Kafka's StorageTool does for a node with static voters, without a second of Java: the bootstrap records are the same for all nodes of a version, and
 * `meta.properties` says whose folder it is. A folder that is formatted already is left as it is. Source: StorageTool, Formatter of Kafka 4.3.
 * @returns the cluster id of the folder.
 */
export async function formatLogDir(
  logDir: string,
  options: { nodeId: number; clusterId: string; bootstrapCheckpoint: string },
): Promise<string> {
  const { nodeId, clusterId, bootstrapCheckpoint } = options;
  const found = await readFile(metaFile(logDir), 'utf8').catch(() => undefined);
  if (found !== undefined) return checked(logDir, found, nodeId);
  await mkdir(logDir, { recursive: true });
  await copyFile(bootstrapCheckpoint, join(logDir, 'bootstrap.checkpoint'));
  const meta = {
    version: '1',
    'cluster.id': clusterId,
    'node.id': String(nodeId),
    'directory.id': newKafkaId(),
  };
  await writeFile(metaFile(logDir), propertiesText(meta));
  return clusterId;
}

/** The cluster id of a formatted folder; undefined where it is not formatted. */
export async function clusterIdOf(logDir: string): Promise<string | undefined> {
  const text = await readFile(metaFile(logDir), 'utf8').catch(() => '');
  return property(text, 'cluster.id');
}

const metaFile = (logDir: string): string => join(logDir, 'meta.properties');

function checked(logDir: string, text: string, nodeId: number): string {
  const clusterId = property(text, 'cluster.id');
  if (clusterId === undefined || property(text, 'node.id') !== String(nodeId))
    throw new StackError(
      `${logDir} is not the folder of Kafka node ${nodeId}: choose another folder or delete it`,
    );
  return clusterId;
}

function property(text: string, name: string): string | undefined {
  return text
    .split('\n')
    .find((line) => line.startsWith(`${name}=`))
    ?.slice(name.length + 1)
    .trim();
}

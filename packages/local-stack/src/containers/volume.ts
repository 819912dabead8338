import { createHash } from 'node:crypto';
import { resolve } from 'node:path';

/**
 * The named volume that stands for a data folder: a container's data belongs to users of its image, which a folder of ours could not be given to
 * without being root. `docker volume rm` deletes it.
 */
export function volumeName(dataDir: string, server: string): string {
  return `outbound-${server}-${digest(dataDir).toString('hex').slice(0, 12)}`;
}

/** A cluster id that is the same each time, as Kafka's image formats its folder with the id that it is given. */
export function clusterIdFor(dataDir: string): string {
  // The prefix keeps it from starting with a dash.
  return `k${digest(dataDir).toString('base64url').slice(0, 20)}w`;
}

const digest = (dataDir: string): Buffer => createHash('sha256').update(resolve(dataDir)).digest();

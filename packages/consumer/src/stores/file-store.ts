import { createReadStream } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { ConsumerError } from '../errors.ts';
import { createMemoryStore, type MemoryStore } from './memory-store.ts';
import type { StateStore } from './state-store.ts';

const headSchema = z.object({
  topic: z.string(),
  current_at: z.iso.datetime(),
  keys: z.int().min(0),
  positions: z.record(z.string().regex(/^\d+$/), z.string().regex(/^\d+$/)),
});
const lineSchema = z.object({
  key: z.string(),
  version: z.int().nullable(),
  value: z.unknown(),
});

/** The next member of an object text, verbatim: what stands behind `"value":` up to the closing brace. */
const valueMark = ',"value":';
const flushBytes = 1024 * 1024;

/**
 * A snapshot as a file of NDJSON: for batch jobs, hand-overs and diffs. First line `{topic,current_at,keys,positions}`, then one line for each key,
 * `{"key":…,"version":…,"value":…}`, the value verbatim but for line breaks between its tokens. The state is held in memory; the file is written as a whole,
 * beside its name and then renamed, when the state has caught up and again at `close`: a reader sees a complete snapshot or the one before, never a part.
 * @throws ConsumerError STORE_UNUSABLE if the file is there and is no snapshot of this topic.
 */
export async function openFileStore(path: string, topic: string): Promise<StateStore> {
  const memory = createMemoryStore();
  let isComplete = await load(path, topic, memory);
  let isChanged = false;
  const write = async () => {
    if (!isComplete || !isChanged) return;
    await writeSnapshot(path, topic, memory);
    isChanged = false;
  };
  return {
    positions: () => memory.positions(),
    async applyBatch(batch) {
      isChanged = true;
      await memory.applyBatch(batch);
    },
    confirm: (atMs) => memory.confirm(atMs),
    async caughtUp() {
      isChanged ||= !isComplete;
      isComplete = true;
      await write();
    },
    async clear() {
      await memory.clear();
      await rm(path, { force: true });
      isComplete = false;
    },
    close: write,
  };
}

async function writeSnapshot(path: string, topic: string, memory: MemoryStore): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const beside = `${path}.${process.pid}.tmp`;
  const file = await open(beside, 'w');
  try {
    const { offsets, currentAtMs } = await memory.positions();
    let text = `${JSON.stringify({
      topic,
      current_at: new Date(currentAtMs).toISOString(),
      keys: memory.size,
      positions: Object.fromEntries(
        Array.from(offsets, ([partition, offset]) => [String(partition), offset.toString()]),
      ),
    })}\n`;
    for (const [key, { version, value }] of memory.entries()) {
      if (version === undefined) requireJson(value, key);
      // A raw line break in JSON can only stand between tokens.
      const verbatim = value.toString().replaceAll(/[\r\n]+/g, ' ');
      text += `{"key":${JSON.stringify(key)},"version":${version ?? 'null'}${valueMark}${verbatim}}\n`;
      if (text.length >= flushBytes) {
        await file.writeFile(text);
        text = '';
      }
    }
    await file.writeFile(text);
    await file.sync();
  } catch (thrown) {
    await file.close();
    await rm(beside, { force: true });
    throw thrown;
  }
  await file.close();
  await rename(beside, path);
}

/** A value that says its version has been read as JSON already. */
function requireJson(value: Buffer, key: string): void {
  try {
    JSON.parse(value.toString());
  } catch (cause) {
    throw new ConsumerError(
      'STATE_UNREADABLE',
      `the value of key ${key} is not JSON, which is all that NDJSON can hold: rebuild into memory or write a store of your own`,
      { cause },
    );
  }
}

/** Fills the memory from the file. @returns false if there is none */
async function load(path: string, topic: string, memory: MemoryStore): Promise<boolean> {
  const refuse = (why: string, cause?: unknown): never => {
    throw new ConsumerError(
      'STORE_UNUSABLE',
      `${path} is no snapshot of ${topic} (${why}): name another file, or remove this one`,
      { cause },
    );
  };
  let head: z.output<typeof headSchema> | undefined;
  let lineNumber = 0;
  try {
    const lines = createInterface({ input: createReadStream(path), crlfDelay: Infinity });
    for await (const line of lines) {
      lineNumber += 1;
      if (!head) head = headSchema.parse(JSON.parse(line));
      else {
        const { key, version } = lineSchema.parse(JSON.parse(line));
        const value = line.slice(line.indexOf(valueMark) + valueMark.length, -1);
        await memory.applyBatch({
          partition: -1,
          nextOffset: 0n,
          entries: [{ key, version: version ?? undefined, value: Buffer.from(value) }],
        });
      }
    }
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return false;
    refuse(`line ${lineNumber} is not what it should be`, thrown);
  }
  if (!head) return refuse('it is empty');
  if (head.topic !== topic) refuse(`it is one of ${head.topic}`);
  if (head.keys !== memory.size) refuse(`it says ${head.keys} keys and has ${memory.size}`);
  memory.setPositions({
    offsets: new Map(
      Object.entries(head.positions).map(([partition, offset]) => [
        Number(partition),
        BigInt(offset),
      ]),
    ),
    currentAtMs: Date.parse(head.current_at),
  });
  return true;
}

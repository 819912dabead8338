import { randomBytes } from 'node:crypto';
import { mkdir, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ConsumerError } from '../errors.ts';
import { byteLines } from './byte-lines.ts';
import { jsonText, requireJson } from './json-value.ts';
import { createMemoryStore, type MemoryStore } from './memory-store.ts';
import { occupant, occupantOf, openRegularFile, putInPlace, requireUnchanged } from './own-file.ts';
import type { Occupant } from './own-file.ts';
import { headBegin, headLine, readHead, type SnapshotHead } from './snapshot-head.ts';
import { readStateLine, snapshotLines } from './snapshot-lines.ts';
import type { StateEntry, StateStore } from './state-store.ts';

/** Far above what a broker takes as one record; a file without line ends is not read into memory. */
const maxLineBytes = 64 * 1024 * 1024;

/**
 * A snapshot as a file of NDJSON: for batch jobs, hand-overs and diffs. First line `{topic,current_at,keys,positions,marks}`, then one line for each key,
 * `{"key":…,"version":…,"value":…}`, the value verbatim but for line breaks between its tokens and the five bytes that name a schema. The state is held in memory; the
 * file is written as a whole, beside its name and then renamed, when the state has caught up and again at `close`: a reader sees a complete snapshot or the one before,
 * never a part. What is there and is no snapshot of this topic is never written over, and neither is what somebody else put there meanwhile.
 * @throws ConsumerError STORE_UNUSABLE if there is something else; STORE_FAILED. Its methods throw these, and `applyBatch` STATE_UNREADABLE for a value that is not JSON.
 */
export async function openFileStore(path: string, topic: string): Promise<StateStore> {
  const guarded = async <Outcome>(work: () => Promise<Outcome>): Promise<Outcome> => {
    try {
      return await work();
    } catch (thrown) {
      throw fileStoreError(thrown, path);
    }
  };
  const memory = createMemoryStore();
  let before = await guarded(() => load(path, topic, memory));
  let isComplete = before !== 'nothing';
  let isChanged = false;
  const write = () =>
    guarded(async () => {
      if (!isComplete || !isChanged) return;
      before = await writeSnapshot(path, { topic, memory, before });
      isChanged = false;
    });
  return {
    positions: () => memory.positions(),
    async applyBatch({ entries, positions }) {
      // All of them first: a step counts as a whole or not at all.
      const checked = entries.map((entry) => withJson(entry, topic));
      isChanged = true;
      await memory.applyBatch({ entries: checked, positions });
    },
    async confirm(atMs) {
      isChanged = true;
      await memory.confirm(atMs);
    },
    async caughtUp() {
      isChanged ||= !isComplete;
      isComplete = true;
      await write();
    },
    clear: (atMs) =>
      guarded(async () => {
        await requireUnchanged(path, before);
        await rm(path, { force: true });
        before = 'nothing';
        isComplete = false;
        await memory.clear(atMs);
      }),
    close: write,
  };
}

function withJson(entry: StateEntry, topic: string): StateEntry {
  if (entry.value === undefined) return entry;
  const value = jsonText(entry.value, entry, topic);
  requireJson(value, entry, topic);
  return { ...entry, value };
}

async function writeSnapshot(
  path: string,
  {
    topic,
    memory,
    before,
  }: { readonly topic: string; readonly memory: MemoryStore; readonly before: Occupant },
): Promise<Occupant> {
  await mkdir(dirname(path), { recursive: true });
  const beside = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  const file = await open(beside, 'wx');
  try {
    try {
      const positions = await memory.positions();
      await file.writeFile(`${headLine({ topic, keys: memory.size, positions })}\n`);
      for (const lines of snapshotLines(memory.entries())) await file.writeFile(lines);
      await file.sync();
    } finally {
      await file.close();
    }
    await putInPlace(beside, path, before);
  } catch (thrown) {
    await rm(beside, { force: true });
    throw thrown;
  }
  return occupantOf(path);
}

/** Fills the memory from the file, if there is one. @returns what the path holds */
async function load(path: string, topic: string, memory: MemoryStore): Promise<Occupant> {
  const file = await openRegularFile(path);
  if (!file) return 'nothing';
  const refuse = (why: string, cause?: unknown): never => {
    throw new ConsumerError(
      'STORE_UNUSABLE',
      `${path} is no snapshot of ${topic} (${why}), and is left as it is: name another file, or remove this one`,
      { cause },
    );
  };
  try {
    // Before it is read: whatever changes it from now on is noticed when it is to be replaced.
    const found = occupant(await file.stat({ bigint: true }));
    const begin = Buffer.alloc(headBegin.length);
    const { bytesRead } = await file.read(begin, 0, begin.length, 0);
    if (bytesRead === 0) return refuse('it is empty');
    if (!begin.equals(headBegin)) return refuse('its first line is not what it should be');
    let head: SnapshotHead | undefined;
    let lineNumber = 0;
    try {
      for await (const line of byteLines(file, { maxBytes: maxLineBytes })) {
        lineNumber += 1;
        if (head) await memory.applyBatch({ entries: [readEntry(line)], positions: [] });
        else head = readHead(line);
        if (head.topic !== topic) break;
      }
    } catch (thrown) {
      return refuse(`line ${lineNumber} is not what it should be`, thrown);
    }
    if (!head) return refuse('it is empty');
    if (head.topic !== topic) return refuse(`it is one of ${head.topic}`);
    if (head.keys !== memory.size)
      return refuse(`it says ${head.keys} keys and has ${memory.size}`);
    memory.setPositions(head.positions);
    return found;
  } finally {
    await file.close();
  }
}

function readEntry(line: Buffer): StateEntry {
  return { ...readStateLine(line), partition: -1, offset: -1n };
}

/** One sentence for what the file system says. */
function fileStoreError(thrown: unknown, path: string): Error {
  if (thrown instanceof ConsumerError || !(thrown instanceof Error)) return thrown as Error;
  const { code } = thrown as NodeJS.ErrnoException;
  const why = {
    ENOSPC: 'the disk is full: make space',
    EDQUOT: 'the quota of the disk is used up: make space',
    EACCES: 'this user may not: grant it, or name another file',
    EPERM: 'this user may not: grant it, or name another file',
    EROFS: 'the file system is read-only: name another file',
    ENOTDIR: 'a part of its path is no folder: name another file',
  }[code ?? ''];
  return new ConsumerError(
    'STORE_FAILED',
    why === undefined
      ? `${path} cannot be read or written: ${thrown.message}`
      : `${path} cannot be read or written, ${why}; what was there before is still there`,
    { cause: thrown },
  );
}

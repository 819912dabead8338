import { mkdir, open, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ConsumerError } from '../errors.ts';
import { nameBeside, openNameless, sweepBeside } from './beside-file.ts';
import { lineChunks } from './byte-lines.ts';
import { jsonText, requireJson } from './json-value.ts';
import {
  modeOf,
  occupant,
  occupantOf,
  openRegularFile,
  putInPlace,
  requireUnchanged,
} from './own-file.ts';
import type { Occupant } from './own-file.ts';
import { headBegin, headLine, readHead, type SnapshotHead } from './snapshot-head.ts';
import { BadLine, StateLines } from './state-lines.ts';
import type { StateEntry, StatePosition, StateStore, StorePositions } from './state-store.ts';

/** Far above what the topic's name and the positions of its partitions take. */
const maxHeadBytes = 64 * 1024 * 1024;

/**
 * A snapshot as a file of NDJSON: for batch jobs, hand-overs and diffs. First line
 * `{topic,current_at,keys,positions,marks}`, then one line for each key,
 * `{"key":…,"version":…,"value":…}`, the value verbatim but for line breaks between its tokens and the five bytes that
 * name a schema, in the order in which they last
 * changed. The state is held on the disk, in a file without a name beside the snapshot, and only where each key stands
 * in memory. The
 * snapshot is written as a whole, beside its name and then renamed, when the state has caught up and again at `close`:
 * a reader sees a complete snapshot or the one before,
 * never a part, whatever was cleared in between; with the rights of the one before. What writers left that were killed
 * is removed at the opening. What is there and is no snapshot of this topic is never written over, and neither is what somebody else
 * put there meanwhile.
 * @throws ConsumerError STORE_UNUSABLE if there is something else; STORE_FAILED. Its methods throw these, and
 * `applyBatch` STATE_UNREADABLE for a value that is not JSON.
 */
export async function openFileStore(path: string, topic: string): Promise<StateStore> {
  const guarded = async <Outcome>(work: () => Promise<Outcome>): Promise<Outcome> => {
    try {
      return await work();
    } catch (thrown) {
      throw fileStoreError(thrown, path);
    }
  };
  const lines = new StateLines(() => openNameless(path));
  const loaded = await guarded(() => load(path, topic, lines));
  await guarded(() => sweepBeside(path));
  const partitions = new Map<number, StatePosition>(loaded?.head.positions.partitions);
  let currentAtMs = loaded?.head.positions.currentAtMs ?? 0;
  let before: Occupant = loaded?.found ?? 'nothing';
  let isComplete = loaded !== undefined;
  let isChanged = false;
  const write = async () => {
    if (!isComplete || !isChanged) return;
    const head = { topic, keys: lines.size, positions: { partitions, currentAtMs } };
    before = await writeSnapshot(path, { head, lines, before });
    isChanged = false;
  };
  return {
    positions: (): Promise<StorePositions> =>
      Promise.resolve({ partitions: new Map(partitions), currentAtMs }),
    applyBatch: ({ entries, positions }) =>
      guarded(async () => {
        // All of them first: a step counts as a whole or not at all.
        const checked = entries.map((entry) => withJson(entry, topic));
        await lines.apply(checked);
        isChanged = true;
        for (const position of positions) partitions.set(position.partition, position);
      }),
    confirm(atMs) {
      isChanged = true;
      currentAtMs = atMs;
      return Promise.resolve();
    },
    caughtUp: () =>
      guarded(async () => {
        isChanged ||= !isComplete;
        isComplete = true;
        await write();
      }),
    clear: (atMs) =>
      guarded(async () => {
        await requireUnchanged(path, before);
        // The snapshot stays until the next one is complete: what fails on the way there must not cost the last good one.
        isComplete = false;
        partitions.clear();
        currentAtMs = atMs;
        await lines.clear();
      }),
    close: () =>
      guarded(async () => {
        try {
          await write();
        } finally {
          await lines.close();
        }
      }),
  };
}

function withJson(entry: StateEntry, topic: string): StateEntry {
  if (entry.value === undefined) return entry;
  const value = jsonText(entry.value, entry, topic);
  requireJson(value, entry, topic);
  return value === entry.value ? entry : { ...entry, value };
}

interface Writing {
  readonly head: SnapshotHead;
  readonly lines: StateLines;
  readonly before: Occupant;
}

async function writeSnapshot(path: string, { head, lines, before }: Writing): Promise<Occupant> {
  await mkdir(dirname(path), { recursive: true });
  const beside = nameBeside(path);
  const mode = await modeOf(path);
  // Not for one moment may anybody read it who may not read the one that it replaces.
  const file = await open(beside, 'wx', mode === undefined ? undefined : 0o600);
  try {
    try {
      if (mode !== undefined) await file.chmod(mode);
      await file.writeFile(`${headLine(head)}\n`);
      for await (const bytes of lines.live()) await file.writeFile(bytes);
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

interface Loaded {
  readonly head: SnapshotHead;
  /** What was under the path. */
  readonly found: Occupant;
}

/** Takes the lines of the file, if there is one. */
async function load(path: string, topic: string, lines: StateLines): Promise<Loaded | undefined> {
  const file = await openRegularFile(path);
  if (!file) return undefined;
  try {
    // Before it is read: whatever changes it from now on is noticed when it is to be replaced.
    const stat = await file.stat({ bigint: true });
    const { head, length } = await readFirstLine(file);
    if (head.topic !== topic) throw new Error(`it is one of ${head.topic}`);
    await lines.adopt(file, { from: length, to: Number(stat.size) });
    if (head.keys !== lines.size)
      throw new Error(`it says ${head.keys} keys and has ${lines.size}`);
    return { head, found: occupant(stat) };
  } catch (thrown) {
    await lines.close();
    await file.close();
    if (thrown instanceof Error && 'syscall' in thrown) throw thrown;
    const why =
      thrown instanceof BadLine
        ? `line ${thrown.lineNumber + 1} is not what it should be`
        : (thrown as Error).message;
    throw new ConsumerError(
      'STORE_UNUSABLE',
      `${path} is no snapshot of ${topic} (${why}), and is left as it is: name another file, or remove this one`,
      { cause: thrown },
    );
  }
}

/** @throws Error saying what is wrong with it */
async function readFirstLine(file: FileHandle): Promise<{ head: SnapshotHead; length: number }> {
  const begin = Buffer.alloc(headBegin.length);
  const { bytesRead } = await file.read(begin, 0, begin.length, 0);
  if (bytesRead === 0) throw new Error('it is empty');
  if (!begin.equals(headBegin)) throw new Error('its first line is not what it should be');
  try {
    for await (const { bytes } of lineChunks(file, { maxLineBytes: maxHeadBytes })) {
      const length = bytes.indexOf(10) + 1;
      if (length === 0) throw new Error('it has no end');
      return { head: readHead(bytes.subarray(0, length - 1)), length };
    }
    throw new Error('it is empty');
  } catch (thrown) {
    throw new Error('line 1 is not what it should be', { cause: thrown });
  }
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

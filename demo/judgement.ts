import { VersionTrail } from './version-trail.ts';

/** A row of the database, soft-deleted ones included. */
export interface CatalogRow {
  readonly key: string;
  readonly version: number;
  readonly isDeleted: boolean;
  /** Hash of the entity as the API would answer it. */
  readonly dataHash: string;
}

/** A record as a consumer read it. `version` and `dataHash` are undefined for a tombstone. */
export interface ReadRecord {
  readonly key: string;
  readonly version: number | undefined;
  readonly dataHash: string | undefined;
  /** It restates a version (`data_op` S, from a backfill or a repair): nothing was published twice. */
  readonly isSnapshot?: boolean;
}

/** Everything that differs between the database and the topics; all zero is the proof. */
export interface Verdict {
  readonly rowCount: number;
  /** Keys with a value at the end of the compacted topic. */
  readonly keyCount: number;
  /** Rows that live, so that `keyCount` has to equal it. */
  readonly liveRowCount: number;
  /** Sum of the rows' versions: each is a change that was committed. */
  readonly committedVersionCount: number;
  /** Different versions on the change topic. */
  readonly versionCount: number;
  readonly duplicateCount: number;
  /** Rows without a record on the compacted topic, and committed versions without one on the change topic. */
  readonly missingCount: number;
  /** Keys whose last record is older than the row, or lives on although the row was deleted. */
  readonly staleCount: number;
  /** Keys or versions on a topic that the database does not know. */
  readonly ghostCount: number;
  readonly outOfOrderCount: number;
  /** Keys whose last record has the row's version and another content. */
  readonly alteredCount: number;
  /** The first few findings, as sentences. */
  readonly findings: readonly string[];
}

const findingLimit = 10;

/**
 * Compares what was committed with what was published. Records go in first, in the order of their topics, then their end, then each row once; then the verdict. Keeps a few numbers per key, never a value.
 */
export class Judgement {
  readonly #last = new Map<string, ReadRecord>();
  readonly #trails = new Map<string, VersionTrail>();
  #isWhole = true;
  readonly #findings: string[] = [];
  #rowCount = 0;
  #liveRowCount = 0;
  #keyCount = 0;
  #committedVersionCount = 0;
  #versionCount = 0;
  #duplicateCount = 0;
  #missingCount = 0;
  #staleCount = 0;
  #ghostCount = 0;
  #outOfOrderCount = 0;
  #alteredCount = 0;

  /** Takes the next record of the compacted topic. */
  addState(record: ReadRecord): void {
    this.#last.set(record.key, record);
  }

  /** Takes the next record of the change topic. */
  addChange({ key, version, isSnapshot = false }: ReadRecord): void {
    if (version === undefined) {
      this.#ghostCount += this.#found(`${key} has a tombstone on the change topic`);
      return;
    }
    const trail = this.#trails.get(key) ?? new VersionTrail();
    this.#trails.set(key, trail);
    trail.add(version, { isSnapshot });
  }

  /** All records were read. `isWhole`: the change topic still has its first records; else what retention removed is not judged. */
  endOfTopics({ isWhole }: { readonly isWhole: boolean }): void {
    this.#isWhole = isWhole;
  }

  /** Takes a row, and forgets its key: what is left at the end has no row. */
  addRow(row: CatalogRow): void {
    this.#rowCount++;
    if (!row.isDeleted) this.#liveRowCount++;
    this.#committedVersionCount += row.version;
    this.#judgeState(row, this.#last.get(row.key));
    this.#judgeChanges(row, this.#trails.get(row.key) ?? new VersionTrail());
    this.#last.delete(row.key);
    this.#trails.delete(row.key);
  }

  /** Ends the comparison. */
  verdict(): Verdict {
    const unknown = new Set(this.#trails.keys());
    for (const { key, version } of this.#last.values()) {
      // A tombstone says that the key is gone, and it is.
      if (version === undefined) continue;
      this.#keyCount++;
      unknown.add(key);
    }
    for (const key of unknown)
      this.#ghostCount += this.#found(`${key} is on a topic without a row`);
    return {
      rowCount: this.#rowCount,
      keyCount: this.#keyCount,
      liveRowCount: this.#liveRowCount,
      committedVersionCount: this.#committedVersionCount,
      versionCount: this.#versionCount,
      duplicateCount: this.#duplicateCount,
      missingCount: this.#missingCount,
      staleCount: this.#staleCount,
      ghostCount: this.#ghostCount,
      outOfOrderCount: this.#outOfOrderCount,
      alteredCount: this.#alteredCount,
      findings: this.#findings,
    };
  }

  #judgeState(row: CatalogRow, last: ReadRecord | undefined): void {
    const { key } = row;
    if (last?.version !== undefined) this.#keyCount++;
    if (row.isDeleted) {
      // Compaction may have removed the tombstone together with what it deleted.
      if (last?.version !== undefined)
        this.#staleCount += this.#found(`${key} was deleted and version ${last.version} lives on`);
    } else if (last?.version === undefined) {
      this.#missingCount += this.#found(
        `${key} version ${row.version} has no value on the compacted topic`,
      );
    } else if (last.version < row.version) {
      this.#staleCount += this.#found(
        `${key} is version ${row.version} and its last record ${last.version}`,
      );
    } else if (last.version > row.version) {
      this.#ghostCount += this.#found(
        `${key} is version ${row.version} and its last record ${last.version}`,
      );
    } else if (last.dataHash !== row.dataHash) {
      this.#alteredCount += this.#found(
        `${key} version ${row.version} has other content on the compacted topic`,
      );
    }
  }

  #judgeChanges({ key, version }: CatalogRow, trail: VersionTrail): void {
    this.#versionCount += trail.versionCount;
    this.#duplicateCount += trail.duplicateCount;
    const missing = trail.missingCount(version, { isWhole: this.#isWhole });
    if (missing > 0)
      this.#missingCount +=
        missing * this.#found(`${key} lacks ${missing} of ${version} versions on the change topic`);
    if (trail.highest > version)
      this.#ghostCount += this.#found(
        `${key} is version ${version} and the change topic has ${trail.highest}`,
      );
    if (trail.outOfOrderCount > 0)
      this.#outOfOrderCount +=
        trail.outOfOrderCount * this.#found(`${key} has versions out of order on the change topic`);
  }

  /** Keeps the sentence, if there is room, and gives 1. */
  #found(sentence: string): 1 {
    if (this.#findings.length < findingLimit) this.#findings.push(sentence);
    return 1;
  }
}

/** Whether the topics are what the database is (I1 to I5 as far as the end state shows them). Duplicates are allowed. */
export function isProven(verdict: Verdict): boolean {
  const { missingCount, staleCount, ghostCount, outOfOrderCount, alteredCount } = verdict;
  return missingCount + staleCount + ghostCount + outOfOrderCount + alteredCount === 0;
}

/** The verdict in one line, for example `proof: 2,004 rows = 2,004 keys; 9,311 versions = 9,311 on the change topic; missing 0, …`. */
export function proofLine(verdict: Verdict): string {
  const number = (value: number) => value.toLocaleString('en-US');
  const { rowCount, liveRowCount, keyCount, committedVersionCount, versionCount } = verdict;
  const rows =
    rowCount === liveRowCount
      ? `${number(rowCount)} rows`
      : `${number(liveRowCount)} live rows of ${number(rowCount)}`;
  const sign = (left: number, right: number) => (left === right ? '=' : '≠');
  return (
    `proof: ${rows} ${sign(liveRowCount, keyCount)} ${number(keyCount)} keys; ` +
    `${number(committedVersionCount)} versions ${sign(committedVersionCount, versionCount)} ${number(versionCount)} on the change topic; ` +
    `missing ${number(verdict.missingCount)}, stale ${number(verdict.staleCount)}, ghosts ${number(verdict.ghostCount)}, ` +
    `out of order ${number(verdict.outOfOrderCount)}, altered ${number(verdict.alteredCount)}, duplicates ${number(verdict.duplicateCount)}`
  );
}

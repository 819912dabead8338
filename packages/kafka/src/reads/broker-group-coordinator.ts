import { offsetCommitApi } from '../apis/offset-commit-api.ts';
import { offsetFetchApi } from '../apis/offset-fetch-api.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { LinkSet } from '../cluster/link-set.ts';
import type { BrokerLink } from '../connection/broker-link.ts';
import type {
  CommitAnswer,
  CommitEntry,
  CommittedOffset,
  GroupCoordinator,
  JoinAnswer,
  JoinRequest,
  MemberIdentity,
  SyncAnswer,
} from '../ports/group-coordinator.ts';
import { partitionKey, type TopicPartition } from '../ports/partition.ts';
import { findCoordinator } from './find-coordinator.ts';

interface GroupAnswer {
  readonly errorCode: number;
}
interface RawJoinAnswer extends GroupAnswer {
  readonly generationId: number;
  readonly groupProtocol: string | null;
  readonly leaderId: string | null;
  readonly memberId: string | null;
  readonly members: readonly {
    readonly memberId: string;
    readonly groupInstanceId: string | null;
    readonly memberMetadata: Buffer | null;
  }[];
}

const unknownServerError = -1;
/** These say that the coordinator is elsewhere, or nowhere now: COORDINATOR_NOT_AVAILABLE and NOT_COORDINATOR. */
const isElsewhere = new Set([15, 16]);
const nothing = Buffer.alloc(0);

/** The real `GroupCoordinator`. */
export class BrokerGroupCoordinator implements GroupCoordinator {
  readonly #cluster: Cluster;
  readonly #groupId: string;
  readonly #links: LinkSet;
  readonly #waitingLinks: LinkSet;
  #address: string | undefined;
  #rebalanceTimeoutMs = 60_000;

  constructor(cluster: Cluster, groupId: string) {
    this.#cluster = cluster;
    this.#groupId = groupId;
    this.#links = cluster.linkSet();
    this.#waitingLinks = cluster.linkSet();
  }

  async join(request: JoinRequest): Promise<JoinAnswer> {
    this.#rebalanceTimeoutMs = request.rebalanceTimeoutMs;
    const answer = await this.#ask<RawJoinAnswer>(this.#waitingLinks, failed, (link) =>
      link.ask(
        'JoinGroup',
        {
          groupId: this.#groupId,
          sessionTimeout: request.sessionTimeoutMs,
          rebalanceTimeout: request.rebalanceTimeoutMs,
          memberId: request.memberId,
          groupInstanceId: request.groupInstanceId ?? null,
          protocolType: 'consumer',
          groupProtocols: request.protocols,
        },
        { heldBackMs: request.rebalanceTimeoutMs },
      ),
    );
    return {
      errorCode: answer.errorCode,
      generationId: answer.generationId,
      protocolName: answer.groupProtocol ?? '',
      leaderId: answer.leaderId ?? '',
      memberId: answer.memberId ?? '',
      members: answer.members.map(({ memberId, groupInstanceId, memberMetadata }) => ({
        memberId,
        groupInstanceId: groupInstanceId ?? undefined,
        metadata: memberMetadata ?? nothing,
      })),
    };
  }

  async sync(
    member: MemberIdentity,
    assignments: readonly { readonly memberId: string; readonly assignment: Buffer }[],
  ): Promise<SyncAnswer> {
    const { errorCode, memberAssignment } = await this.#ask<
      GroupAnswer & { readonly memberAssignment?: Buffer | null }
    >(
      this.#waitingLinks,
      (code) => ({ errorCode: code }),
      (link) =>
        link.ask(
          'SyncGroup',
          {
            groupId: this.#groupId,
            generationId: member.generationId,
            memberId: member.memberId,
            groupInstanceId: member.groupInstanceId ?? null,
            groupAssignment: assignments.map(({ memberId, assignment }) => ({
              memberId,
              memberAssignment: assignment,
            })),
          },
          { heldBackMs: this.#rebalanceTimeoutMs },
        ),
    );
    return { errorCode, assignment: memberAssignment ?? nothing };
  }

  async heartbeat(member: MemberIdentity): Promise<{ readonly errorCode: number }> {
    const { errorCode } = await this.#ask<GroupAnswer>(
      this.#links,
      (code) => ({ errorCode: code }),
      (link) =>
        link.ask('Heartbeat', {
          groupId: this.#groupId,
          groupGenerationId: member.generationId,
          memberId: member.memberId,
          groupInstanceId: member.groupInstanceId ?? null,
        }),
    );
    return { errorCode };
  }

  async leave(member: MemberIdentity): Promise<{ readonly errorCode: number }> {
    const { errorCode, members } = await this.#ask<
      GroupAnswer & { readonly members: readonly GroupAnswer[] }
    >(
      this.#links,
      (code) => ({ errorCode: code, members: [] }),
      (link) =>
        link.ask('LeaveGroup', {
          groupId: this.#groupId,
          memberId: member.memberId,
          groupInstanceId: member.groupInstanceId ?? null,
        }),
    );
    return { errorCode: errorCode === 0 ? (members[0]?.errorCode ?? 0) : errorCode };
  }

  async commit(
    member: MemberIdentity,
    entries: readonly CommitEntry[],
  ): Promise<readonly CommitAnswer[]> {
    const { errorCode, partitions } = await this.#ask<
      GroupAnswer & { readonly partitions: readonly CommitAnswer[] }
    >(
      this.#links,
      (code) => ({ errorCode: code, partitions: [] }),
      async (link) => {
        const answer = await link.request(offsetCommitApi, {
          groupId: this.#groupId,
          member,
          entries,
        });
        const elsewhere = answer.partitions.find((each) => isElsewhere.has(each.errorCode));
        return { errorCode: elsewhere?.errorCode ?? 0, partitions: answer.partitions };
      },
    );
    const byPartition = new Map(partitions.map((each) => [partitionKey(each), each]));
    return entries.map(
      ({ topic, partition }) =>
        byPartition.get(partitionKey({ topic, partition })) ?? {
          topic,
          partition,
          errorCode: errorCode === 0 ? unknownServerError : errorCode,
        },
    );
  }

  async committed(partitions: readonly TopicPartition[]): Promise<readonly CommittedOffset[]> {
    const answer = await this.#ask<
      GroupAnswer & { readonly partitions: readonly CommittedOffset[] }
    >(
      this.#links,
      (code) => ({ errorCode: code, partitions: [] }),
      (link) => link.request(offsetFetchApi, { groupId: this.#groupId, partitions }),
    );
    const byPartition = new Map(answer.partitions.map((each) => [partitionKey(each), each]));
    return partitions.map(({ topic, partition }) => {
      const found = byPartition.get(partitionKey({ topic, partition }));
      if (answer.errorCode === 0 && found) return found;
      const errorCode = answer.errorCode === 0 ? unknownServerError : answer.errorCode;
      return { topic, partition, errorCode, offset: -1n, metadata: '' };
    });
  }

  close(): void {
    this.#cluster.closeLinks(this.#links);
    this.#cluster.closeLinks(this.#waitingLinks);
  }

  /** Asks the coordinator, whom it looks for if none is known. `without` makes the answer when none can be told. */
  async #ask<Answer extends GroupAnswer>(
    links: LinkSet,
    without: (errorCode: number) => Answer,
    ask: (link: BrokerLink) => Promise<Answer>,
  ): Promise<Answer> {
    let address = this.#address;
    try {
      if (address === undefined) {
        const found = await findCoordinator(this.#cluster, this.#groupId);
        if (found.errorCode !== 0) return without(found.errorCode);
        address = found.address;
        this.#address = address;
        // A join that is out at another one would be waited for as long as a rebalance may take.
        this.#waitingLinks.retain(new Set([address]));
      }
      const answer = await ask(links.to(address));
      if (isElsewhere.has(answer.errorCode)) this.#forget(address);
      return answer;
    } catch (thrown) {
      this.#forget(address);
      throw thrown;
    }
  }

  /** Another call may have found another one meanwhile: that one stays. */
  #forget(address: string | undefined): void {
    if (this.#address === address) this.#address = undefined;
  }
}

function failed(errorCode: number): RawJoinAnswer {
  return {
    errorCode,
    generationId: -1,
    groupProtocol: null,
    leaderId: null,
    memberId: null,
    members: [],
  };
}

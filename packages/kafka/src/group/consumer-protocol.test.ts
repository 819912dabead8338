import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  type Subscription,
} from './consumer-protocol.ts';
import { generationUserData, ownedGeneration } from './owned-generation.ts';

const subscription: Subscription = {
  topics: ['a', 'ä'],
  userData: generationUserData(7),
  owned: [
    { topic: 'a', partition: 2 },
    { topic: 'a', partition: 0 },
    { topic: 'ä', partition: 1 },
  ],
  generationId: 7,
  rackId: 'r1',
};

describe("the consumer protocol's subscription", () => {
  it('is what it was, in each version as far as the version goes', () => {
    expect(decodeSubscription(encodeSubscription(subscription))).toEqual(subscription);
    expect(decodeSubscription(encodeSubscription(subscription, 2)).rackId).toBeUndefined();
    expect(decodeSubscription(encodeSubscription(subscription, 1))).toEqual({
      ...subscription,
      generationId: -1,
      rackId: undefined,
    });
    expect(decodeSubscription(encodeSubscription(subscription, 0)).owned).toEqual([]);
  });

  it('has the bytes of ConsumerProtocolSubscription.json', () => {
    const bytes = encodeSubscription({
      topics: ['t'],
      userData: Buffer.alloc(0),
      owned: [{ topic: 't', partition: 5 }],
      generationId: 3,
      rackId: undefined,
    });
    expect(bytes.toString('hex')).toBe(
      '0003' +
        '00000001' +
        '000174' +
        '00000000' + // version, topics, no user data
        '00000001' +
        '000174' +
        '00000001' +
        '00000005' + // owned
        '00000003' +
        'ffff', // generation, no rack
    );
  });

  it('of a newer version is read as far as we know it', () => {
    const newer = Buffer.concat([encodeSubscription(subscription), Buffer.from('later')]);
    newer.writeInt16BE(9);
    expect(decodeSubscription(newer)).toEqual(subscription);
  });

  it('that is cut off is refused, whatever the place', () => {
    const whole = encodeSubscription(subscription);
    for (let length = 0; length < whole.length; length += 1)
      expect(() => decodeSubscription(whole.subarray(0, length))).toThrow(RangeError);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (noise) => {
        try {
          decodeSubscription(Buffer.from(noise));
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }),
    );
  });
});

describe('the generation of what a member owns', () => {
  const old = decodeSubscription(encodeSubscription(subscription, 1));

  it("is the field's, else the one that Java's assignor or librdkafka's writes", () => {
    expect(ownedGeneration({ ...subscription, userData: generationUserData(1) })).toBe(7);
    expect(ownedGeneration(old)).toBe(7);
    const assigned = encodeAssignment(subscription.owned).subarray(2, -4);
    const sticky = Buffer.concat([assigned, generationUserData(12)]);
    expect(ownedGeneration({ ...old, userData: sticky })).toBe(12);
  });

  it('is none where nobody says it', () => {
    expect(ownedGeneration({ ...old, userData: Buffer.alloc(0) })).toBe(-1);
    for (const noise of ['else', 'something else', '\0\0\0\0'])
      expect(ownedGeneration({ ...old, userData: Buffer.from(`${noise}.`) })).toBe(-1);
  });
});

describe("the consumer protocol's assignment", () => {
  it('is what it was, and empty for no bytes', () => {
    expect(decodeAssignment(encodeAssignment(subscription.owned))).toEqual(subscription.owned);
    expect(decodeAssignment(encodeAssignment([]))).toEqual([]);
    expect(decodeAssignment(Buffer.alloc(0))).toEqual([]);
  });
});

import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import {
  createBrokerPool,
  KafkaDecoder,
  KafkaEncoder,
} from '../../connectors/kafka/kafkajs-internals.ts';

const require = createRequire(import.meta.url);

describe('what is used of the inside of kafkajs', () => {
  it('is of the version that was read', () => {
    expect(require('kafkajs/package.json').version).toBe('2.2.4');
  });

  it('has the calls of the pool and of a broker', () => {
    const pool = createBrokerPool({ brokers: ['127.0.0.1:1'] });
    const calls = ['connect', 'disconnect', 'findBroker', 'findConnectedBroker', 'refreshMetadata'];
    for (const name of calls) expect(pool).toHaveProperty(name, expect.any(Function));
    const { prototype } = require('kafkajs/src/broker');
    for (const name of [
      ...['metadata', 'createTopics', 'deleteTopics', 'describeConfigs', 'deleteRecords'],
      ...['listOffsets', 'findGroupCoordinator', 'joinGroup', 'syncGroup', 'heartbeat'],
      ...['leaveGroup', 'offsetCommit', 'offsetFetch', 'initProducerId', 'disconnect'],
    ]) {
      expect(prototype).toHaveProperty(name, expect.any(Function));
    }
    expect(require('kafkajs/src/network/connectionPool').prototype.send).toEqual(
      expect.any(Function),
    );
  });

  it('keeps the timer of its queue quiet while nothing is pending', () => {
    createBrokerPool({ brokers: ['127.0.0.1:1'] });
    const RequestQueue = require('kafkajs/src/network/requestQueue');
    const logger = { debug: () => {} };
    const queue = new RequestQueue({ clientId: 'c', broker: 'b', logger });
    queue.scheduleCheckPendingRequests();
    expect(queue.throttleCheckTimeoutId).toBeNull();
    queue.pending.push({});
    queue.maxInFlightRequests = 0;
    queue.scheduleCheckPendingRequests();
    expect(queue.throttleCheckTimeoutId).not.toBeNull();
    queue.destroy();
  });

  it('writes and reads whole numbers, texts and lists', () => {
    const { buffer } = new KafkaEncoder()
      .writeInt8(-1)
      .writeInt16(258)
      .writeInt32(-2)
      .writeInt64(2 ** 53 - 1)
      .writeString('é')
      .writeBytes(Buffer.from([1, 2]))
      .writeArray([7, 8]);
    const decoder = new KafkaDecoder(buffer);
    expect([decoder.readInt8(), decoder.readInt16(), decoder.readInt32()]).toEqual([-1, 258, -2]);
    expect(decoder.readInt64()).toBe(2n ** 53n - 1n);
    expect(decoder.readString()).toBe('é');
    expect(decoder.readBytes()).toEqual(Buffer.from([1, 2]));
    expect(decoder.readArray((d) => d.readInt32())).toEqual([7, 8]);
  });
});

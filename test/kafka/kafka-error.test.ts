import { describe, expect, it } from 'vitest';
import { errorTypeOf, isTransient, toLogError } from '../../connectors/kafka/kafka-error.ts';
import { protocolError } from '../../connectors/kafka/kafkajs-internals.ts';
import { FreshetError } from '../../src/errors.ts';

function kafkaError(name: string, more: object = {}): Error {
  return Object.assign(new Error('it failed'), { name, retriable: true, ...more });
}

describe('errors of Kafka', () => {
  it.each([
    [3, 'UNKNOWN_TOPIC_OR_PARTITION', 'TOPIC_UNKNOWN', false],
    [6, 'NOT_LEADER_FOR_PARTITION', 'LOG_UNAVAILABLE', true],
    [7, 'REQUEST_TIMED_OUT', 'LOG_UNAVAILABLE', true],
    [10, 'MESSAGE_TOO_LARGE', 'RECORD_TOO_LARGE', false],
    [15, 'GROUP_COORDINATOR_NOT_AVAILABLE', 'LOG_UNAVAILABLE', true],
    [22, 'ILLEGAL_GENERATION', 'LOG_FENCED', false],
    [25, 'UNKNOWN_MEMBER_ID', 'LOG_FENCED', false],
    [29, 'TOPIC_AUTHORIZATION_FAILED', 'LOG_ACCESS_DENIED', false],
    [58, 'SASL_AUTHENTICATION_FAILED', 'LOG_ACCESS_DENIED', false],
  ])('%i, %s, are %s', (number, type, code, transient) => {
    const error = protocolError(number);
    expect(errorTypeOf(error)).toBe(type);
    expect(toLogError(error, { topic: 't' })).toMatchObject({ code, where: { topic: 't' } });
    expect(isTransient(error)).toBe(transient);
  });

  it('are LOG_UNAVAILABLE when a connection fails, and can be tried again', () => {
    for (const name of ['KafkaJSConnectionError', 'KafkaJSRequestTimeoutError']) {
      expect(toLogError(kafkaError(name))).toMatchObject({ code: 'LOG_UNAVAILABLE' });
      expect(isTransient(kafkaError(name))).toBe(true);
    }
  });

  it('are what was wrapped, after attempts and in answers for several topics', () => {
    const cause = protocolError(29);
    const wrapped = kafkaError('KafkaJSNumberOfRetriesExceeded', { cause, retriable: false });
    expect(toLogError(wrapped)).toMatchObject({ code: 'LOG_ACCESS_DENIED', cause: wrapped });
    const several = kafkaError('KafkaJSAggregateError', { errors: [protocolError(36)] });
    expect(errorTypeOf(several)).toBe('TOPIC_ALREADY_EXISTS');
    const partitions = [{ error: null }, { error: protocolError(1) }];
    expect(errorTypeOf(kafkaError('KafkaJSDeleteTopicRecordsError', { partitions }))).toBe(
      'OFFSET_OUT_OF_RANGE',
    );
  });

  it('are wrong credentials when SASL fails', () => {
    expect(toLogError(kafkaError('KafkaJSSASLAuthenticationError'))).toMatchObject({
      code: 'LOG_ACCESS_DENIED',
      retriable: false,
    });
  });

  it('stay what they are when they are ours, or no failure of Kafka at all', () => {
    const ours = new FreshetError('OFFSET_GAP', 'gone');
    expect(toLogError(ours)).toBe(ours);
    expect(isTransient(ours)).toBe(false);
    expect(isTransient(new FreshetError('LOG_UNAVAILABLE', 'later'))).toBe(true);
    const bug = new TypeError('x is not a function');
    expect(toLogError(bug)).toBe(bug);
    expect(isTransient(bug)).toBe(false);
  });
});

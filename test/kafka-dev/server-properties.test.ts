import { describe, expect, it } from 'vitest';
import { serverProperties } from '../../connectors/kafka-dev/server-properties.ts';

const broker = { port: 9_092, controllerPort: 9_093, dataFolder: '/data' };

describe('the configuration of a development broker', () => {
  it('listens on the loopback alone, and makes no topic by itself', () => {
    const lines = serverProperties(broker).split('\n');
    expect(lines).toContain('listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093');
    expect(lines).toContain('log.dirs=/data');
    expect(lines).toContain('auto.create.topics.enable=false');
  });

  it('lets settings that are given win', () => {
    const settings = { 'num.partitions': '7', 'message.max.bytes': '5' };
    const lines = serverProperties({ ...broker, settings }).split('\n');
    expect(lines.filter((line) => line.startsWith('num.partitions='))).toEqual([
      'num.partitions=7',
    ]);
    expect(lines).toContain('message.max.bytes=5');
  });
});

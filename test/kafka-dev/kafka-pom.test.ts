import { describe, expect, it } from 'vitest';
import { kafkaPom } from '../../connectors/kafka-dev/kafka-pom.ts';

describe('the POM of development tools', () => {
  it('asks for each artifact and for one logging backend', () => {
    const pom = kafkaPom(['org.a:b:1', 'org.c:d:2']);
    const named = [...pom.matchAll(/<artifactId>(.+)<\/artifactId>\s+<version>(.+)<\/version>/g)];
    expect(named.map(([, name, version]) => `${name} ${version}`)).toEqual([
      expect.stringMatching(/^kafka-dev /),
      expect.stringMatching(/^slf4j-api /),
      'b 1',
      'd 2',
      expect.stringMatching(/^log4j-slf4j2-impl /),
      expect.stringMatching(/^log4j-core /),
    ]);
  });
});

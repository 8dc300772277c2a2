/** Of the broker, and of everything of Kafka's that runs beside it. */
export const KAFKA_VERSION = '4.3.1';

const LOG4J_VERSION = '2.25.4';
const SLF4J_VERSION = '2.0.17';

/** Kafka's published POMs name no logging backend. */
const LOGGING = [
  `org.apache.logging.log4j:log4j-slf4j2-impl:${LOG4J_VERSION}`,
  `org.apache.logging.log4j:log4j-core:${LOG4J_VERSION}`,
];

/**
 * The POM that brings artifacts, each `group:name:version`, with what they need and a logging
 * backend, for machines without a container runtime. Nothing is built from it: `mvn
 * dependency:copy-dependencies` copies the jars to the user's cache folder.
 */
export function kafkaPom(artifacts: readonly string[]): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0"
         xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
         xsi:schemaLocation="http://maven.apache.org/POM/4.0.0 http://maven.apache.org/xsd/maven-4.0.0.xsd">
  <modelVersion>4.0.0</modelVersion>
  <groupId>freshet.dev</groupId>
  <artifactId>kafka-dev</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencyManagement>
    <dependencies>
      <!-- One SLF4J for Kafka and its binding. -->
${dependency(`org.slf4j:slf4j-api:${SLF4J_VERSION}`)}
    </dependencies>
  </dependencyManagement>
  <dependencies>
${[...artifacts, ...LOGGING].map(dependency).join('\n')}
  </dependencies>
</project>
`;
}

function dependency(artifact: string): string {
  const [group, name, version] = artifact.split(':');
  return `    <dependency>
      <groupId>${group}</groupId>
      <artifactId>${name}</artifactId>
      <version>${version}</version>
    </dependency>`;
}

/**
 * The jars of a development broker, for machines without a container runtime. Nothing is built from
 * it: `mvn dependency:copy-dependencies` copies them to the user's cache folder. It is text in a
 * module, so that the built package has it too.
 */
export const KAFKA_VERSION = '4.3.1';

export const KAFKA_POM: string = `<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0"
         xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
         xsi:schemaLocation="http://maven.apache.org/POM/4.0.0 http://maven.apache.org/xsd/maven-4.0.0.xsd">
  <modelVersion>4.0.0</modelVersion>
  <groupId>freshet.dev</groupId>
  <artifactId>kafka-dev-broker</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <properties>
    <kafka.version>${KAFKA_VERSION}</kafka.version>
    <log4j.version>2.25.4</log4j.version>
    <slf4j.version>2.0.17</slf4j.version>
  </properties>
  <dependencyManagement>
    <dependencies>
      <!-- One SLF4J for the broker and its binding. -->
      <dependency>
        <groupId>org.slf4j</groupId>
        <artifactId>slf4j-api</artifactId>
        <version>\${slf4j.version}</version>
      </dependency>
    </dependencies>
  </dependencyManagement>
  <dependencies>
    <!-- Holds kafka.Kafka and kafka.tools.StorageTool; brings the other Kafka modules and Scala. -->
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>\${kafka.version}</version>
    </dependency>
    <!-- Kafka's published POM names no logging backend. -->
    <dependency>
      <groupId>org.apache.logging.log4j</groupId>
      <artifactId>log4j-slf4j2-impl</artifactId>
      <version>\${log4j.version}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId>
      <artifactId>log4j-core</artifactId>
      <version>\${log4j.version}</version>
    </dependency>
  </dependencies>
</project>
`;

"""Another team's client: confluent-kafka for Python with Confluent's Avro serializer.

usage: confluent_client.py produce BROKERS REGISTRY TOPIC PARTITIONER SCHEMA KEY_FIELDS
       confluent_client.py read BROKERS REGISTRY TOPIC

produce takes rows as JSON lines and prints the partition of each, in their order; SCHEMA is
`latest`, which takes the registered one, or the text of one to register; KEY_FIELDS are text
fields, with commas between them. read prints the rows of a topic as JSON lines.
"""

import json
import sys
from datetime import datetime

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext


def key_of(values):
    if len(values) == 1:
        return values[0]
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def produce(brokers, registry, topic, partitioner, schema, key_fields):
    client = SchemaRegistryClient({"url": registry})
    if schema == "latest":
        schema = client.get_latest_version(f"{topic}-value").schema.schema_str
    serialize = AvroSerializer(client, schema)
    context = SerializationContext(topic, MessageField.VALUE)
    producer = Producer({"bootstrap.servers": brokers, "partitioner": partitioner})
    partitions = {}
    lines = sys.stdin.read().splitlines()
    for i, line in enumerate(lines):
        row = json.loads(line)
        key = key_of([row[name] for name in key_fields.split(",")])
        row["at"] = datetime.fromisoformat(row["at"].replace("Z", "+00:00"))
        producer.produce(
            topic,
            key=key.encode(),
            value=serialize(row, context),
            on_delivery=lambda error, record, i=i: partitions.update(
                {i: str(error) if error else record.partition()}
            ),
        )
        producer.poll(0)
    producer.flush(60)
    print(json.dumps([partitions.get(i) for i in range(len(lines))]))


def read(brokers, registry, topic):
    deserialize = AvroDeserializer(SchemaRegistryClient({"url": registry}))
    context = SerializationContext(topic, MessageField.VALUE)
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": f"{topic}-python"})
    for partition in consumer.list_topics(topic).topics[topic].partitions:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition))
        consumer.assign([TopicPartition(topic, partition, low)])
        for _ in range(low, high):
            record = consumer.poll(30)
            if record is None or record.error():
                sys.exit(f"no record: {record and record.error()}")
            row = deserialize(record.value(), context)
            row["at"] = row["at"].isoformat()
            print(json.dumps({"partition": partition, "key": record.key().decode(), "row": row}))
    consumer.close()


{"produce": produce, "read": read}[sys.argv[1]](*sys.argv[2:])

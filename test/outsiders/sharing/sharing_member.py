"""A member of a group with members of other makers: prints when it gets partitions and when it gives them up."""

import signal
import sys
import time

from confluent_kafka import Consumer, KafkaException

bootstrap, group, topic = sys.argv[1:]
stopping = False


def stop(*_):
    global stopping
    stopping = True


def tell(word):
    def told(_, partitions):
        print(word, time.time_ns() // 1_000_000, *(p.partition for p in partitions), flush=True)

    return told


signal.signal(signal.SIGTERM, stop)
consumer = Consumer(
    {
        "bootstrap.servers": bootstrap,
        "group.id": group,
        "auto.offset.reset": "earliest",
        "partition.assignment.strategy": "cooperative-sticky",
        "session.timeout.ms": 10000,
        "heartbeat.interval.ms": 500,
    }
)
consumer.subscribe([topic], on_assign=tell("assigned"), on_revoke=tell("revoked"), on_lost=tell("lost"))
while not stopping:
    message = consumer.poll(0.1)
    if message is not None and message.error():
        raise KafkaException(message.error())
consumer.close()

"""A member of a consumer group: reads every event, keeps what it has done in a file, commits after that."""

import json
import signal
import sys
from decimal import Decimal

from confluent_kafka import Consumer, KafkaException

bootstrap, group, topic, path = sys.argv[1:]
consumer = Consumer(
    {
        "bootstrap.servers": bootstrap,
        "group.id": group,
        "auto.offset.reset": "earliest",
        # Commits are ours: after the effect, never before it.
        "enable.auto.commit": False,
    }
)
stopping = False
newest = {}  # key: the newest version that was applied; a real consumer keeps it with its data
undone = 0  # how many records were handled since the last commit


def stop(*_):
    global stopping
    stopping = True


def commit():
    global undone
    if undone:
        effects.flush()
        consumer.commit(asynchronous=False)
        undone = 0


def on_assign(_, partitions):
    print("assigned", *sorted(p.partition for p in partitions), flush=True)


def on_revoke(_, partitions):
    # Before another member continues: nothing that was handled here is handled there again.
    commit()
    print("revoked", *sorted(p.partition for p in partitions), flush=True)


signal.signal(signal.SIGTERM, stop)
with open(path, "a", encoding="utf-8") as effects:
    consumer.subscribe([topic], on_assign=on_assign, on_revoke=on_revoke)
    while not stopping:
        message = consumer.poll(0.1)
        if message is None:
            commit()
            continue
        if message.error():
            raise KafkaException(message.error())
        key = message.key().decode()
        headers = dict(message.headers())
        # Numbers keep every digit.
        event = json.loads(message.value(), parse_float=Decimal)
        version = event["data"]["version"]
        # At least once: a version that was seen already is a duplicate.
        if version > newest.get(key, 0):
            newest[key] = version
            effect = {
                "eid": headers["ce_id"].decode(),
                "key": key,
                "version": version,
                "partition": message.partition(),
                "offset": message.offset(),
                "value": message.value().decode(),
            }
            effects.write(json.dumps(effect) + "\n")
        undone += 1
        if undone >= 20:
            commit()
    consumer.close()

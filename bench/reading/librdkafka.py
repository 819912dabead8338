"""librdkafka's Python client as a reader: from the beginning until it has seen so many events; says how long as one line of JSON."""

import json
import os
import resource
import sys
import time

from confluent_kafka import Consumer

mode, brokers, topic, wanted = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
consumer = Consumer(
    {
        "bootstrap.servers": brokers,
        "group.id": f"bench-librdkafka-{os.getpid()}",
        "auto.offset.reset": "earliest",
    }
)
consumer.subscribe([topic])
events = 0
started = used = 0.0
while events < wanted:
    messages = consumer.consume(500, 1.0)
    if messages and events == 0:
        started, used = time.monotonic(), time.process_time()
    if mode == "parsed":
        for message in messages:
            json.loads(message.value())
            {name: value.decode() for name, value in message.headers()}
    events += len(messages)
print(
    json.dumps(
        {
            "events": events,
            "seconds": time.monotonic() - started,
            "cpuSeconds": time.process_time() - used,
            "peakBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        }
    )
)
consumer.close()

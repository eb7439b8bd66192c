"""Send ten readings: python3 produce.py 192.168.1.50:9092"""

import json
import sys
import time

from kafka import KafkaProducer

producer = KafkaProducer(bootstrap_servers=sys.argv[1], acks="all")
for number in range(10):
    reading = json.dumps({"device": "desk", "temperature": 20 + number / 10, "time": time.time()})
    # The key keeps the readings of one device in order; get() waits until the broker has them.
    producer.send("telemetry", key=b"desk", value=reading.encode()).get(timeout=30)
    print("stored", reading)

"""Print what is stored, then what arrives; Ctrl-C ends it: python3 consume.py 192.168.1.50:9092"""

import sys

from kafka import KafkaConsumer

consumer = KafkaConsumer("telemetry", bootstrap_servers=sys.argv[1], auto_offset_reset="earliest")
for record in consumer:
    print(record.value.decode(), flush=True)

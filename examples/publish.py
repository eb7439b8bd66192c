"""Publish ten readings over MQTT: python3 publish.py 192.168.1.50 kitchen"""

import getpass
import sys

from paho.mqtt.client import CallbackAPIVersion, Client

client = Client(CallbackAPIVersion.VERSION2)
client.username_pw_set(sys.argv[2], getpass.getpass())
client.connect(sys.argv[1])
client.loop_start()
for number in range(10):
    client.publish(f"devices/{sys.argv[2]}/temperature", 20 + number / 10, qos=1).wait_for_publish(30)
    print("acknowledged", 20 + number / 10)

"""Publish ten readings over MQTT: python3 publish.py 192.168.1.50 kitchen"""

import getpass
import sys

from paho.mqtt import publish

address, device = sys.argv[1:]
login = {"username": device, "password": getpass.getpass()}
for number in range(10):
    reading = 20 + number / 10
    # Returns once the message is acknowledged, and raises an error if it is not.
    publish.single(f"devices/{device}/temperature", reading, qos=1, hostname=address, auth=login)
    print("acknowledged", reading)

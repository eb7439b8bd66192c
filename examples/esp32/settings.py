"""The settings of the board, out of settings.json, which playbooks/device.yml makes."""

import json

# Seconds unless the name says otherwise.
DEFAULTS = {
    "tls_ca": "",  # file with the certificate that signs those of the gateways; empty: no TLS
    "ntp": "pool.ntp.org",
    "interval_s": 10,  # between two measurements
    # Between two writes to the flash, at least: what is measured more often is sent in groups.
    "flash_s": 10,
    "ring_kb": 256,  # of flash for messages that no gateway has acknowledged
    "keep_alive_s": 30,
    "watchdog_s": 60,  # 0: none
    "led_pin": 2,
    "sensor_pin": None,  # of a DS18B20; none: the sensor in the chip
}
NEEDED = ("device", "password", "brokers", "wifi_ssid", "wifi_password")


class SettingsError(Exception):
    """A sentence for the owner of the board."""


def load(path: str) -> dict:
    """Return the settings of a file.

    :raises SettingsError: the board cannot work with them.
    """
    try:
        with open(path) as file:
            said = json.loads(file.read())
    except OSError:
        raise SettingsError(f"{path} is not there. Copy it to the board: mpremote cp settings.json :") from None
    except ValueError:
        raise SettingsError(f"{path} is no JSON. Make it anew with playbooks/device.yml") from None
    return checked(said)


def checked(said: dict) -> dict:
    """Return them with defaults.

    :raises SettingsError: one is missing, or there is no such.
    """
    missing = [name for name in NEEDED if not said.get(name) and name != "wifi_password"]
    if missing:
        raise SettingsError("settings.json lacks {}. Write it there".format(", ".join(missing)))
    unknown = [name for name in said if name not in NEEDED and name not in DEFAULTS]
    if unknown:
        raise SettingsError("settings.json has {}, which is no setting".format(", ".join(sorted(unknown))))
    settings = dict(DEFAULTS)
    settings.update(said)
    return settings


def host_port(place: str, port: int) -> "tuple[str, int]":
    """Return host and port of "host:port", or of "host" with the port that is given."""
    host, colon, rest = place.rpartition(":")
    return (host, int(rest)) if colon else (place, port)

"""What the firmware touches of an ESP32: Wi-Fi, flash, pins, sensors and the watchdog. Nothing else knows the board."""

import gc

import esp32
import machine
import network

DATA = ""  # the folder in flash that outlasts a power cut
BOOT_BUTTON = 0

_station = network.WLAN(network.STA_IF)
_watchdog = None
_led = None
_bus = None


def start(settings: dict) -> None:
    """Prepare pins and the sensor."""
    global _led, _bus  # noqa: PLW0603 - there is one board
    _led = machine.Pin(settings["led_pin"], machine.Pin.OUT)
    if settings["sensor_pin"] is not None:
        import ds18x20  # noqa: PLC0415 - only who has the sensor needs its driver
        import onewire  # noqa: PLC0415

        _bus = ds18x20.DS18X20(onewire.OneWire(machine.Pin(settings["sensor_pin"])))


def watch(seconds: int) -> None:
    """Restart the board when `alive` is not called for so long; it cannot be taken back."""
    global _watchdog  # noqa: PLW0603
    if seconds:
        _watchdog = machine.WDT(timeout=seconds * 1000)


def alive() -> None:
    """Tell the watchdog that the loop turns."""
    if _watchdog:
        _watchdog.feed()


def wifi_begin(ssid: str, password: str) -> None:
    """Connect anew, in the background."""
    _station.active(False)
    _station.active(True)
    _station.connect(ssid, password)


def wifi_up() -> bool:
    """Tell whether there is Wi-Fi, with an address."""
    return _station.isconnected()


def rssi() -> "int | None":
    """Return the strength of the signal, dBm."""
    try:
        return _station.status("rssi")
    except (OSError, ValueError):
        return None


def temperature() -> "float | None":
    """Return °C of the DS18B20 if there is one, else of the chip itself; None if nothing measures."""
    try:
        if _bus:
            return _of_the_bus()
        if hasattr(esp32, "mcu_temperature"):
            return float(esp32.mcu_temperature())
        return round((esp32.raw_temperature() - 32) / 1.8, 1)  # the first ESP32 tells °F
    except (OSError, AttributeError):
        return None


def _of_the_bus() -> "float | None":
    """Return what the sensor has measured since the last call (it takes 0.75 s), and let it begin anew."""
    found = _bus.scan()
    try:
        # Right after power-on the sensor says 85 although it has not measured.
        value = _bus.read_temp(found[0]) if found else None
        return None if value == 85 else value
    finally:
        if found:
            _bus.convert_temp()


def free() -> int:
    """Return free bytes of the heap."""
    gc.collect()
    return gc.mem_free()


def led(on: bool) -> None:
    """Switch the LED."""
    if _led:
        _led.value(1 if on else 0)


def button() -> bool:
    """Tell whether the button BOOT is held: then the firmware leaves the board to its owner."""
    return not machine.Pin(BOOT_BUTTON, machine.Pin.IN, machine.Pin.PULL_UP).value()

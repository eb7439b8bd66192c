"""The firmware of examples/esp32, run by MicroPython's port for Unix, against real servers."""

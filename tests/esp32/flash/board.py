"""The board that MicroPython's port for Unix lacks: flash in a file, Wi-Fi as a file says, and no pins.

The flash has the file system of an ESP32, littlefs, in blocks of its size, so that a kill between two writes of blocks
is a power cut. The folder in which it runs has `settings.json`, and `wifi` while there is Wi-Fi.
"""

import gc
import os

import vfs

BLOCK, BLOCKS = 4096, 128
DATA = "/flash"


class Flash:
    """A block device in a file, which counts what is erased."""

    def __init__(self, path: str) -> None:
        self.fresh = path not in os.listdir(".")
        if self.fresh:
            with open(path, "wb") as file:
                for _block in range(BLOCKS):
                    file.write(b"\xff" * BLOCK)
        self._file = open(path, "r+b")
        self.erased = 0

    def readblocks(self, block: int, data: bytearray, offset: int = 0) -> None:
        self._file.seek(block * BLOCK + offset)
        self._file.readinto(data)

    def writeblocks(self, block: int, data: bytes, offset: "int | None" = None) -> None:
        self._file.seek(block * BLOCK + (offset or 0))
        self._file.write(data)

    def ioctl(self, what: int, block: int) -> "int | None":
        if what == 4:
            return BLOCKS
        if what == 5:
            return BLOCK
        if what == 6:
            self.erased += 1
            self.writeblocks(block, b"\xff" * BLOCK)
        return 0


def _mount() -> None:
    flash = Flash("flash.bin")
    if flash.fresh:
        vfs.VfsLfs2.mkfs(flash)
    vfs.mount(flash, DATA)
    if "settings.json" in os.listdir("."):
        with open("settings.json") as given, open(DATA + "/settings.json", "w") as file:
            file.write(given.read())


def start(settings: dict) -> None:
    pass


def watch(seconds: int) -> None:
    print(f"watchdog of {seconds} s")


def alive() -> None:
    pass


def wifi_begin(ssid: str, password: str) -> None:
    print(f"Wi-Fi of {ssid}")


def wifi_up() -> bool:
    return "wifi" in os.listdir(".")


def rssi() -> int:
    return -61


def temperature() -> float:
    return 21.5


def free() -> int:
    gc.collect()
    return gc.mem_free()


def led(on: bool) -> None:
    pass


def button() -> bool:
    return False


_mount()

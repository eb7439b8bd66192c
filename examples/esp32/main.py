"""Firmware of an ESP32 that measures, and sends what it has measured over MQTT until it is acknowledged.

A message is in flash before it has a number, and is sent after that: so a power cut leaves no gap between the numbers,
and none is given twice. One plain loop, without asyncio: it feeds the watchdog itself, so a task that stands still
cannot hide behind others that go on.
"""

import json
import os
import time

import board
from commands import Commands
from mqtt import (
    DISCONNECT,
    PUBACK,
    PUBLISH,
    SUBACK,
    Client,
    connect_packet,
    open_socket,
    puback_packet,
    publish_packet,
    published,
    subscribe_packet,
)
from ntp import PORT as NTP_PORT
from ntp import Clock
from ring import Ring
from settings import SettingsError, host_port, load

MQTT_PORT = 1883
SEGMENT_BYTES = 4096
WINDOW = 10  # messages under way
# Packet ids up to this one belong to measurements, by their number: one that is sent again has its own id again.
MEASUREMENT_IDS = 60000
SUBSCRIBE_ID = 65535
PUBACK_WITHIN_MS = 20000
TURN_MS = 100  # so the LED can blink
WIFI_WITHIN_MS = 30000
CLOCK_AGAIN_MS, CLOCK_RETRY_MS = 3600000, 15000
UNWRITTEN = 100  # measurements in memory while the flash takes none


class BackOff:
    """How long to wait after failures: twice as long each time, less a random part.

    Without it all devices would come back to a gateway in the same moment.
    """

    def __init__(self, first_ms: int, most_ms: int) -> None:
        self._first_ms, self._most_ms = first_ms, most_ms
        self.reset()

    def reset(self) -> None:
        """Begin anew: it works."""
        self._next_ms = self._first_ms
        self._due_ms = time.ticks_ms()

    def failed(self) -> None:
        """Wait."""
        wait_ms = self._next_ms // 2 + self._next_ms * os.urandom(1)[0] // 512
        self._due_ms = time.ticks_add(time.ticks_ms(), wait_ms)
        self._next_ms = min(2 * self._next_ms, self._most_ms)

    def due(self) -> bool:
        """Tell whether it is time to try."""
        return time.ticks_diff(time.ticks_ms(), self._due_ms) >= 0


class Timer:
    """Says at once that it is time, and then each time after a while that may change meanwhile."""

    def __init__(self) -> None:
        self._last_ms = None

    def due(self, every_ms: int) -> bool:
        """Tell whether it is time; if so, count anew."""
        now = time.ticks_ms()
        if self._last_ms is None:
            self._last_ms = now
            return True
        late_ms = time.ticks_diff(now, self._last_ms) - every_ms
        if late_ms < 0:
            return False
        # From when it should have been, so that the turns of the loop do not add up; unless that is long ago.
        self._last_ms = time.ticks_add(now, -late_ms if late_ms < every_ms else 0)
        return True


class State:
    """What commands have changed, kept in flash."""

    def __init__(self, path: str, interval_s: float) -> None:
        self._path = path
        self.said = {"interval_s": interval_s, "answered": []}
        try:
            with open(path) as file:
                self.said.update(json.loads(file.read()))
        except (OSError, ValueError):
            pass  # nothing was changed yet

    def save(self) -> None:
        """Write it whole, or not at all."""
        with open(self._path + ".new", "w") as file:
            file.write(json.dumps(self.said))
        os.rename(self._path + ".new", self._path)


class Link:
    """The connection to one of the gateways, and what is under way on it."""

    def __init__(self, settings: dict, ring: Ring, commands: Commands, clock: Clock) -> None:
        self._settings, self._ring, self._commands, self._clock = settings, ring, commands, clock
        self._name = settings["device"]
        self._telemetry = f"devices/{self._name}/telemetry"
        self._status = f"devices/{self._name}/status"
        self._back_off = BackOff(1000, 60000)
        self._turn = 0
        self._client = None
        # What the flash had at the start may have been sent before.
        self._sent = ring.next - 1
        self._forget()

    @property
    def up(self) -> bool:
        return self._client is not None

    def _forget(self) -> None:
        """Know nothing of what is under way: what is not acknowledged is sent again, in order."""
        self._next = self._ring.acked + 1
        self._under_way = []  # number, and when it was sent
        self._early = set()  # acknowledged before one that was sent earlier
        self._answers = {}  # packet id of an answer -> that of its command
        self._answer_id = MEASUREMENT_IDS

    def tend(self) -> None:
        """Connect if it is time, send what is waiting, and take what comes within a turn of the loop."""
        if not self._client:
            if not self._back_off.due():
                time.sleep_ms(TURN_MS)
                return
            self._connect()
            return
        try:
            self._send()
            self._receive()
            self._client.tend()
        except (OSError, ValueError) as error:
            self.lose(error)

    def _connect(self) -> None:
        places = self._settings["brokers"]
        place = places[self._turn % len(places)]
        client = None
        try:
            host, port = host_port(place, MQTT_PORT)
            client = Client(open_socket(host, port, self._settings["tls_ca"]), self._settings["keep_alive_s"])
            will = self._status, json.dumps({"device": self._name, "online": False})
            packet = connect_packet(self._name, self._settings["password"], self._settings["keep_alive_s"], will)
            client.connect(packet)
            client.send(subscribe_packet(f"cmd/{self._name}", SUBSCRIBE_ID))
        except (OSError, ValueError) as error:
            print(f"no connection to {place}: {error}")
            if client:
                client.close()
            self._turn += 1
            self._back_off.failed()
            return
        print(f"connected to {place}, {self._ring.waiting} waiting")
        self._client = client
        self._forget()

    def hurry(self) -> None:
        """Try soon: what failed before was the Wi-Fi."""
        self._back_off.reset()
        self._back_off.failed()

    def lose(self, why: object) -> None:
        """Give the connection up."""
        if self._client:
            print(f"connection lost: {why}")
            self._client.close()
            self._client = None
            self._turn += 1
            self._back_off.failed()
            self._forget()

    def leave(self) -> None:
        """Say that the device goes in order."""
        if self._client:
            said = json.dumps({"device": self._name, "online": False, "bye": True})
            try:
                self._client.send(publish_packet(self._status, said, SUBSCRIBE_ID))
                self._client.send(DISCONNECT)
            except OSError:
                pass  # the last will tells it
            self._client.close()

    def _send(self) -> None:
        """Send on from where it stands, as far as the window goes."""
        room = WINDOW - len(self._under_way)
        if room > 0 and self._next < self._ring.next:
            for number, message in self._ring.read(self._next, room):
                again = number <= self._sent
                self._client.send(publish_packet(self._telemetry, message, packet_id(number), again))
                self._under_way.append((number, time.ticks_ms()))
                self._next = number + 1
                self._sent = max(self._sent, number)
        if self._under_way and time.ticks_diff(time.ticks_ms(), self._under_way[0][1]) > PUBACK_WITHIN_MS:
            raise OSError("no acknowledgement came")

    def _receive(self) -> None:
        """Take all that is there; wait for the first of it."""
        got = self._client.receive(TURN_MS)
        while got:
            first, body, whole = got
            if first & 0xF0 == PUBACK:
                self._acknowledged(body[0] << 8 | body[1])
            elif first & 0xF0 == PUBLISH:
                self._command(whole, *published(first, body))
            elif first & 0xF0 == SUBACK and body[2] & 0x80:
                print("the gateway does not let this device read commands")
            got = self._client.receive(0)

    def _acknowledged(self, packet: int) -> None:
        self._back_off.reset()  # now it is known to work
        if packet in self._answers:
            self._client.send(puback_packet(self._answers.pop(packet)))
            return
        self._early.add(packet)
        number = 0
        while self._under_way and packet_id(self._under_way[0][0]) in self._early:
            number = self._under_way.pop(0)[0]
            self._early.remove(packet_id(number))
        if number:
            self._ring.ack(number)

    def _command(self, whole: bool, topic: str, packet: int, payload: bytes) -> None:
        """Answer; the command is acknowledged once its answer is, so that a power cut takes neither."""
        judge = self._commands.answer if whole else self._commands.too_long
        answer = judge(payload, self._clock.now_ns())
        if answer is None:
            print(f"no command: {topic}")
            if packet:
                self._client.send(puback_packet(packet))
            return
        self._answer_id = self._answer_id % (SUBSCRIBE_ID - 1) + 1
        if self._answer_id <= MEASUREMENT_IDS:
            self._answer_id = MEASUREMENT_IDS + 1
        if packet:
            self._answers[self._answer_id] = packet
        self._client.send(publish_packet(f"answers/{self._name}", answer, self._answer_id))


def packet_id(number: int) -> int:
    """Return the packet id of a measurement."""
    return (number - 1) % MEASUREMENT_IDS + 1


class Device:
    """Measures, keeps and sends."""

    def __init__(self, settings: dict) -> None:
        self._settings = settings
        self._name = settings["device"]
        self._clock = Clock()
        self._clock_again_ms = CLOCK_RETRY_MS
        self._clock_timer, self._measure_timer, self._flash_timer = Timer(), Timer(), Timer()
        segments = max(3, settings["ring_kb"] * 1024 // SEGMENT_BYTES)
        self._ring = Ring(board.DATA + "/ring", SEGMENT_BYTES, segments)
        self._state = State(board.DATA + "/state.json", settings["interval_s"])
        commands = Commands(settings["device"], self._state.said, self._state.save)
        self._link = Link(settings, self._ring, commands, self._clock)
        self._wifi = BackOff(WIFI_WITHIN_MS, 4 * WIFI_WITHIN_MS)
        self._was_up = False
        self._began_ms = self._last_ms = time.ticks_ms()
        self._uptime_ms = 0
        self._measured = []  # not in flash yet
        print(f"{self._name}: next number {self._ring.next}, {self._ring.waiting} waiting")

    def turn(self) -> None:
        """Do what is due."""
        board.alive()
        self._measure()
        self._keep()
        if self._tend_wifi():
            self._ask_time()
            self._link.tend()
        else:
            self._link.lose("no Wi-Fi")
            time.sleep_ms(TURN_MS)
        self._show()

    def leave(self) -> None:
        """Keep what was measured, and say good-bye."""
        self._flash_timer = Timer()
        self._keep()
        self._link.leave()
        board.led(False)

    def _measure(self) -> None:
        now = time.ticks_ms()
        self._uptime_ms += time.ticks_diff(now, self._last_ms)  # ticks begin again after days
        self._last_ms = now
        if not self._measure_timer.due(int(self._state.said["interval_s"] * 1000)):
            return
        said = {"temperature": board.temperature(), "rssi": board.rssi(), "free": board.free()}
        said = {name: value for name, value in said.items() if value is not None}
        said["uptime"] = self._uptime_ms // 1000
        now_ns = self._clock.now_ns()
        if now_ns is not None:  # a wrong time would be worse than none
            said["ts_ns"] = now_ns
        self._measured.append(said)

    def _keep(self) -> None:
        """Write to flash what was measured, not too often: now it has numbers."""
        if not self._measured or not self._flash_timer.due(int(self._settings["flash_s"] * 1000)):
            return
        messages = []
        for said in self._measured:
            said.update(device=self._name, kind="esp32", dropped=self._ring.dropped)
            said["seq"] = self._ring.next + len(messages)
            messages.append(json.dumps(said))
        dropped = self._ring.dropped
        try:
            self._ring.append(messages)
            self._measured = []
            if self._ring.dropped > dropped:
                print(f"the ring is full: the oldest {self._ring.dropped - dropped} messages are dropped")
        except OSError as error:
            print(f"the flash takes nothing: {error}")
            while len(self._measured) > UNWRITTEN:
                self._measured.pop(0)
                self._ring.dropped += 1

    def _tend_wifi(self) -> bool:
        """Return whether there is Wi-Fi; try to have it if there is none."""
        up = board.wifi_up()
        if up != self._was_up:
            print("Wi-Fi is %s" % ("up" if up else "down"))
            self._was_up = up
            self._wifi.reset()
            self._link.hurry()
        if not up and self._wifi.due():
            self._wifi.failed()
            board.wifi_begin(self._settings["wifi_ssid"], self._settings["wifi_password"])
        return up

    def _ask_time(self) -> None:
        if not self._clock_timer.due(self._clock_again_ms):
            return
        try:
            self._clock.ask(*host_port(self._settings["ntp"], NTP_PORT))
            self._clock_again_ms = CLOCK_AGAIN_MS
        except (OSError, ValueError) as error:
            print("no time from {}: {}".format(self._settings["ntp"], error))
            self._clock_again_ms = CLOCK_RETRY_MS

    def _show(self) -> None:
        """Steady: it sends. Slow: no Wi-Fi. Fast: no gateway."""
        period_ms = 0 if self._link.up else 250 if self._was_up else 2000
        board.led(not period_ms or time.ticks_ms() % period_ms < period_ms // 2)


def main() -> None:
    """Run until Ctrl-C."""
    try:
        settings = load(board.DATA + "/settings.json")
    except SettingsError as error:
        print(error)
        return
    board.start(settings)
    board.led(True)
    time.sleep_ms(2000)
    if board.button():
        print("BOOT is held: the firmware does not start")
        return
    board.watch(settings["watchdog_s"])
    device = Device(settings)
    try:
        while True:
            device.turn()
    except KeyboardInterrupt:
        device.leave()


if __name__ == "__main__":
    main()

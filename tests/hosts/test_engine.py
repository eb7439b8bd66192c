"""An engine of our own starts where none answers, and ends alone: beside it another one goes on."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hosts import engine
from tests.hosts.step import Failure

# A second engine on a machine needs places of its own; engine.up knows none of these options, so a wrapper adds them.
# It needs a network namespace too: an engine takes the bridge docker0 and the firewall for its own, or removes them.
WRAPPER = """#!/bin/sh
exec unshare --net {dockerd} --host unix://{place}/socket --data-root {place}/data --exec-root {place}/exec "$@"
"""


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Make this process see a machine on which no engine runs."""
    engine.up()
    with tempfile.TemporaryDirectory(prefix="pi") as place:  # pytest's own are too long for the path of a socket
        hide_engine(Path(place), monkeypatch)
        yield Path(place)


def hide_engine(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the engine be elsewhere."""
    wrapper = place / "bin" / "dockerd"
    wrapper.parent.mkdir()
    found = shutil.which("dockerd", path=os.environ["PATH"] + ":/usr/sbin")
    if not found:
        pytest.skip("this machine's engine has no dockerd to start a second time")
    wrapper.write_text(WRAPPER.format(dockerd=found, place=place))
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapper.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{place}/socket")
    monkeypatch.setenv("RASPI_KAFKA_CACHE", str(place / "cache"))


def links() -> set[str]:
    """Return this machine's own network links; the containers' come and go."""
    return {name for name in os.listdir("/sys/class/net") if not name.startswith("veth")}


@pytest.mark.usefixtures("elsewhere")
def test_our_engine_comes_and_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    before = links()
    assert not engine.answers()
    engine.up()
    pid = engine.own_pid()
    try:
        assert engine.answers()
        assert pid
        assert engine.children(pid, "containerd")
        engine.up()
        assert engine.own_pid() == pid  # the one that answers is used
    finally:
        parts = [pid, *engine.children(pid, "containerd")]
        engine.down()
    assert [engine.process_name(part) for part in parts] == ["", ""]
    assert not engine.answers()
    monkeypatch.delenv("DOCKER_HOST")
    assert engine.answers()
    assert links() == before


@pytest.mark.usefixtures("elsewhere")
def test_an_engine_that_is_not_ours_is_not_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST")
    engine.down()
    assert engine.answers()
    assert engine.own_pid() is None


@pytest.mark.usefixtures("elsewhere")
def test_a_process_that_has_our_engine_s_old_number_is_not_ended() -> None:
    engine.pid_file().write_text(str(os.getpid()))
    engine.down()
    assert not engine.pid_file().exists()


@pytest.mark.usefixtures("elsewhere")
def test_without_an_engine_the_way_out_is_said() -> None:
    with pytest.raises(Failure, match=r"tests\.hosts engine up"):
        engine.require()


def test_a_start_that_fails_says_why(elsewhere: Path) -> None:
    (elsewhere / "bin" / "dockerd").write_text("#!/bin/sh\necho no space left; exit 1\n")
    with pytest.raises(Failure, match="dockerd ended: no space left"):
        engine.up()

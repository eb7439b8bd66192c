"""Names: of recipes, of sets of hosts, of programs that are JVMs."""

from collections import Counter
from pathlib import Path

import pytest

from tests.hosts import cache, host, step
from tests.hosts.jvms import jvms


def test_a_recipe_s_parts_are_kept_apart() -> None:
    assert cache.fingerprint("ab", "c") != cache.fingerprint("a", "bc")
    assert cache.fingerprint("a", b"b") == cache.fingerprint("a", "b")


@pytest.mark.parametrize("name", ["", "_ssh", "..", "a/b", "A", "1a", "a b", "a" * 40])
def test_a_name_that_is_not_plain_is_refused(name: str) -> None:
    with pytest.raises(step.Failure, match="cannot name hosts"):
        host.refuse_bad_name(name)
    host.refuse_bad_name("cluster_live-2")


def test_a_path_that_ssh_would_split_is_refused() -> None:
    with pytest.raises(step.Failure, match="RASPI_KAFKA_CACHE"):
        host.refuse_bad_path(Path("/home/my user/x"))
    host.refuse_bad_path(Path("/home/user/x-1.2_3"))


@pytest.mark.parametrize(
    "path", ["/usr/lib/jvm/java-17-openjdk-arm64/bin/java", "/usr/lib/jvm/x/bin/jcmd", "/opt/jdk/bin/java"]
)
def test_launchers_are_jvms(path: str) -> None:
    assert jvms(Counter({path: 2, "/usr/bin/true": 5})) == 2


@pytest.mark.parametrize("path", ["/usr/bin/javascript", "/usr/lib/jvm/x/lib/jspawnhelper", "/bin/java-like"])
def test_others_are_not(path: str) -> None:
    assert jvms(Counter({path: 1})) == 0


def test_a_failure_is_one_sentence_with_the_last_line_as_reason() -> None:
    with pytest.raises(step.Failure, match=r"^it broke: two; do x\.$"):
        step.run(["sh", "-c", "echo one >&2; echo two. >&2; exit 3"], "it broke", "do x")


def test_a_missing_program_is_said() -> None:
    with pytest.raises(step.Failure, match="no-such-program is not installed"):
        step.run(["no-such-program"], "it broke", "do x")

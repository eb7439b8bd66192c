"""The machine's own mirror is used for the image, if it serves that suite."""

from tests.hosts.image import source_lines

TARGETS = """Debian http://mirror/debian/ bookworm main
Debian http://mirror/debian/ bookworm main
Debian http://mirror/debian/ bookworm-updates main
Debian http://mirror/security/ bookworm-security main
Debian http://mirror/debian/ bookworm contrib
Debian http://mirror/debian/ trixie main
Somebody http://elsewhere/ bookworm main
"""


def test_main_of_the_suite_its_updates_and_security_are_taken() -> None:
    assert source_lines(TARGETS, "bookworm") == [
        "deb http://mirror/debian/ bookworm main",
        "deb http://mirror/debian/ bookworm-updates main",
        "deb http://mirror/security/ bookworm-security main",
    ]


def test_a_machine_of_another_suite_says_nothing() -> None:
    assert source_lines("Ubuntu http://mirror/ubuntu/ jammy main\n", "bookworm") == []


def test_updates_alone_are_not_a_system() -> None:
    assert source_lines("Debian http://mirror/debian/ bookworm-updates main\n", "bookworm") == []

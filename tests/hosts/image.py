"""The image of a bare Raspberry Pi with a systemd that boots."""

import contextlib
import socket
import tempfile
from pathlib import Path

from . import cache, emulation, engine, package
from .step import run, step, tell

RECIPE = Path(__file__).parent / "rootfs"
SUITE = "bookworm"
HUB = ("registry-1.docker.io", 443)
NAME = "raspi-kafka-host"
# Of Debian 12, under qemu 7.2; without them the host boots all the same.
UNITS_THAT_FAIL_EMULATED = "systemd-sysusers.service systemd-tmpfiles-setup.service systemd-tmpfiles-setup-dev.service"


def build(suite: str = SUITE, arch: str = emulation.NATIVE) -> str:
    """Return the image's tag; build it unless this recipe has been built.

    :raises ImpossibleError: its programs cannot run here.
    """
    engine.require()
    if arch != emulation.NATIVE:
        emulation.up()
    tag = tag_of(suite, arch)
    if exists(tag):
        tell(f"image: {tag} is there")
        return tag
    with step(f"image {tag}"):
        docker_build(tag, base(suite, arch), "" if arch == emulation.NATIVE else UNITS_THAT_FAIL_EMULATED)
    return tag


def tag_of(suite: str, arch: str) -> str:
    """Name the image by its recipe."""
    files = sorted(path for path in RECIPE.rglob("*") if path.is_file())
    parts = [part for path in files for part in (str(path.relative_to(RECIPE)), path.read_bytes())]
    return f"{NAME}:{suite}-{arch}-{cache.fingerprint(suite, arch, UNITS_THAT_FAIL_EMULATED, *parts)}"


def exists(tag: str) -> bool:
    """Tell whether the engine has this image."""
    return bool(engine.docker("images", "--quiet", tag, what="the engine does not list its images"))


def base(suite: str, arch: str) -> str:
    """Return the tag of a minimal Debian: from Docker Hub, or made here where that is out of reach."""
    if arch != emulation.NATIVE:  # Docker Hub's would take the name of the native one
        return bootstrap(suite, arch)
    if reachable(*HUB):
        tag = f"debian:{suite}"
        with step(f"docker pull {tag}"):
            engine.docker("pull", "--quiet", tag, what=f"cannot pull {tag}", remedy="try again")
        return tag
    tell("image: Docker Hub is out of reach, so mmdebstrap makes the base")
    return bootstrap(suite, arch)


def reachable(name: str, port: int) -> bool:
    """Tell whether a server takes connections within a few seconds."""
    with contextlib.suppress(OSError), socket.create_connection((name, port), timeout=4):
        return True
    return False


def bootstrap(suite: str, arch: str) -> str:
    """Make a minimal Debian from the package archive that this machine's apt uses."""
    tag = f"{NAME}-base:{suite}-{arch}"
    package.ensure(
        {"mmdebstrap": "mmdebstrap", "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring"}
    )
    with tempfile.TemporaryDirectory() as scratch, step(f"mmdebstrap {suite} {arch}"):
        tar = Path(scratch) / "base.tar"
        # given no mirror, mmdebstrap takes Debian's own with updates and security
        command = ["mmdebstrap", f"--arch={arch}", "--variant=minbase", suite, tar, *sources(suite)]
        run(package.as_root(command), f"mmdebstrap {suite} failed", "look at this machine's apt sources and network")
        engine.docker("import", tar, tag, what="the engine does not take the base image")
    return tag


def sources(suite: str) -> list[str]:
    """Return this machine's own apt sources for the suite, if it is a Debian of that suite."""
    form = "$(ORIGIN) $(REPO_URI) $(RELEASE) $(COMPONENT)"
    command = ["apt-get", "indextargets", "--format", form, "Created-By: Packages"]
    return source_lines(run(command, "apt does not tell its sources", "look at its sources"), suite)


def source_lines(targets: str, suite: str) -> list[str]:
    """Make sources.list lines of apt's index targets."""
    releases = {suite, f"{suite}-updates", f"{suite}-security"}
    rows = [fields for fields in map(str.split, targets.splitlines()) if len(fields) == 4]
    wanted = [row for row in rows if row[0] == "Debian" and row[2] in releases and row[3] == "main"]
    # updates alone would make a mirror without a base system
    complete = any(row[2] == suite for row in wanted)
    return list(dict.fromkeys(f"deb {row[1]} {row[2]} main" for row in wanted)) if complete else []


def docker_build(tag: str, base_tag: str, masked: str) -> None:
    """Build the image on a base; these further units never start."""
    # The builder of the engine's own is enough, and the newer one is a plugin that not every client has.
    command: list[str | Path] = ["env", "DOCKER_BUILDKIT=0", "docker", "build"]
    arguments = [word for value in (f"BASE={base_tag}", f"MASKED={masked}") for word in ("--build-arg", value)]
    run([*command, *arguments, "--tag", tag, RECIPE], f"cannot build {tag}", f"run: docker build {RECIPE}")

"""The Kafka release archive: Apache's own, or its jars from Maven packed in the same shape."""

import gzip
import hashlib
import inspect
import re
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import NamedTuple

from . import cache, package
from .step import Failure, run, step, tell

VERSION = "4.1.1"
ADDRESS = "https://archive.apache.org/dist/kafka/{version}/kafka_2.13-{version}.tgz"
SECONDS_TO_ANSWER = 4
POM = Path(__file__).parent / "pom.xml"
PINS = cache.REPOSITORY / "roles" / "kraft_broker" / "vars" / "releases.yml"


class Archive(NamedTuple):
    """A file and what it must hash to."""

    path: Path
    sha512: str


def build(version: str = VERSION) -> Archive:
    """Return the archive; download or pack it unless this recipe has been followed."""
    recipe = cache.fingerprint(version, POM.read_bytes(), inspect.getsource(pack), inspect.getsource(entry))
    path = cache.directory("_archive", recipe) / f"kafka_2.13-{version}.tgz"
    if not path.exists():
        make(path, version)
    made = Archive(path, sha512(path))
    tell(f"archive: {made.path}, sha512 {made.sha512}")
    return made


def make(path: Path, version: str) -> None:
    """Write the archive under a name of its own first: a half-written file is never taken for it."""
    part = path.with_suffix(".part")
    if not download(ADDRESS.format(version=version), part):
        tell("archive: Apache's server is out of reach, so Maven gives the jars")
        pack_from_maven(part, version)
    else:
        verify(part, version)
    part.rename(path)


def download(address: str, path: Path) -> bool:
    """Fetch the release; False if its server does not answer within a few seconds."""
    try:
        answer = urllib.request.urlopen(address, timeout=SECONDS_TO_ANSWER)  # noqa: S310 - the address is a constant
    except urllib.error.HTTPError as refused:
        raise Failure(f"cannot fetch {address}", str(refused), "give --version a release that exists") from refused
    except (urllib.error.URLError, TimeoutError):
        return False
    with step(f"download {address}"), answer, path.open("wb") as file:
        shutil.copyfileobj(answer, file)
    return True


def verify(path: Path, version: str) -> None:
    """Compare with the sum that the role pins, where it knows this version."""
    pinned = pin(PINS.read_text(), version) if PINS.exists() else None
    if pinned is None:
        tell(f"archive: {PINS.name} does not know {version}, so its sum is not checked")
    elif pinned != sha512(path):
        raise Failure(f"{path.name} is not Kafka {version}", "its sha512 is not the pinned one", "try again later")


def pin(text: str, version: str) -> str | None:
    """Read one sum out of the role's YAML, which is one line a version."""
    found = re.search(rf"""^\s+["']?{re.escape(version)}["']?:\s*["']?([0-9a-fA-F]{{128}})\b""", text, re.MULTILINE)
    return found[1].lower() if found else None


def pack_from_maven(path: Path, version: str) -> None:
    """Collect the jars and pack them."""
    package.ensure({"mvn": "maven"})
    with tempfile.TemporaryDirectory() as scratch:
        jars = Path(scratch)
        with step(f"mvn dependency:copy-dependencies, Kafka {version}"):
            options = [f"-Dkafka.version={version}", "-DincludeScope=runtime", f"-DoutputDirectory={jars}"]
            command = ["mvn", "-q", "-B", "-f", POM, "dependency:copy-dependencies", *options]
            run(command, f"Maven has no Kafka {version} for us", "read: mvn -f tests/hosts/pom.xml dependency:tree")
        with step(f"pack {path.stem}"):
            pack(jars, path, f"kafka_2.13-{version}/libs")


def pack(jars: Path, path: Path, place: str) -> None:
    """Pack the same jars into the same bytes each time: no dates, no owners, sorted, no compression (jars have it)."""
    with (
        path.open("wb") as file,
        gzip.GzipFile("", "wb", 0, file, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for parent in [place.rsplit("/", 1)[0], place]:
            tar.addfile(entry(parent, tarfile.DIRTYPE, 0o755))
        for jar in sorted(jars.glob("*.jar")):
            member = entry(f"{place}/{jar.name}", tarfile.REGTYPE, 0o644)
            member.size = jar.stat().st_size
            with jar.open("rb") as content:
                tar.addfile(member, content)


def entry(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    """Return a member that belongs to root and has no date."""
    member = tarfile.TarInfo(name)
    member.type, member.mode = kind, mode
    member.uname = member.gname = "root"
    return member


def sha512(path: Path) -> str:
    """Return a file's sum."""
    digest = hashlib.sha512()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()

"""The archive has the shape of Kafka's release, and is built once."""

import tarfile
import zipfile

from tests.hosts import archive


def test_it_holds_the_broker_and_a_log_binding() -> None:
    with tarfile.open(archive.build().path) as tar:
        names = tar.getnames()
        assert {name.split("/")[0] for name in names} == {"kafka_2.13-4.1.1"}
        assert any("/libs/log4j-slf4j-impl-" in name for name in names)
        jar = tar.extractfile("kafka_2.13-4.1.1/libs/kafka_2.13-4.1.1.jar")
        assert jar is not None
        assert "kafka/Kafka.class" in zipfile.ZipFile(jar).namelist()


def test_it_is_built_once() -> None:
    first = archive.build()
    written = first.path.stat().st_mtime_ns
    assert archive.build() == first
    assert first.path.stat().st_mtime_ns == written

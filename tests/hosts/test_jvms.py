"""Programs that a host executes are counted, those it only reads are not."""

from tests.hosts import engine, host
from tests.hosts.host import as_root
from tests.hosts.jvms import executed, jvms


def test_each_execution_counts(pi: host.Host) -> None:
    with executed(pi.container) as programs:
        as_root(pi, "/bin/true; /bin/true; /bin/true")
    assert programs["/usr/bin/true"] == 3
    assert jvms(programs) == 0


def test_reading_a_program_does_not_count(pi: host.Host) -> None:
    with executed(pi.container) as programs:
        as_root(pi, "cat /bin/true > /dev/null; sha256sum /bin/true")
    assert programs["/usr/bin/true"] == 0
    assert programs["/usr/bin/sha256sum"] == 1


def test_a_sandboxed_service_counts(pi: host.Host) -> None:
    sandbox = "-p ProtectSystem=strict -p PrivateTmp=yes -p DynamicUser=yes"
    with executed(pi.container) as programs:
        as_root(pi, f"systemd-run --quiet --wait {sandbox} /bin/true")
    assert programs["/usr/bin/true"] == 1


def test_other_hosts_and_this_machine_do_not_count(pis: list) -> None:
    with executed(pis[0].container) as programs:
        as_root(pis[1], "/bin/true")
        engine.run(["true"], "cannot run true", "look at this machine")
    assert not programs


def test_a_jvm_that_came_during_the_block_counts(pi: host.Host) -> None:
    home = "/usr/lib/jvm/java-17-test"
    with executed(pi.container) as programs:
        as_root(pi, f"mkdir -p {home}/bin; cp /bin/true {home}/bin/java; ln -sf {home}/bin/java /usr/local/bin/java")
        as_root(pi, f"java; {home}/bin/java; rm -r {home} /usr/local/bin/java")
    assert jvms(programs) == 2

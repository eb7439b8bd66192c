"""The load test as a play: what it refuses, whom it lets in and takes out again, and what it gives to the generator."""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from plays import FACTS, REPOSITORY, Host, failures, run
from raspi_kafka.simulate import options as simulate

GATEWAY = ["raspi-kafka-bridge", "raspi-kafka-verify", "kitchen"]
OVER = "/usr/bin/python3 /opt/raspi-kafka/libexec/load_test_over.py /etc/raspi-kafka/mosquitto/passwords"
IMPORT = "/opt/raspi-kafka/edge/bin/python -c 'import raspi_kafka.load_test.sample'"
STOP = "stopped raspi-kafka-load-test-{}".format
# Stands in the place of the control node's program: it notes what it was given, and ends as it is told.
PROGRAM = """\
#!{python}
import json, pathlib, sys
folder = pathlib.Path(__file__).parents[1]
command, *options = sys.argv[1:]
given = dict(one.lstrip("-").partition("=")[::2] for one in options)
if command == "load-test":
    given["passwords"] = json.loads(pathlib.Path(given["credentials"]).read_text())["passwords"]
with open(folder / command, "a") as out:
    out.write(json.dumps(given) + "\\n")
codes = {codes}
code = codes.get(given.get("stages", command), 0)
if "processes" in given:
    code = codes.get("services", code)
if command == "load-test" and code in (0, 1, 3):
    pathlib.Path(given["out"], "ledger.json").touch()
print("the table of the", command)
if code == 2:
    print("clocks differ", file=sys.stderr)
sys.exit(code)
"""


class Stand(NamedTuple):
    """A gateway, a control node that has all of its programs, and what was said of a run."""

    root: Path
    pi: Host
    said: str

    def given(self, command: str = "load-test") -> list[dict[str, Any]]:
        """The options of each call of the program."""
        path = self.root / "load" / command
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def calls(self, *modules: str) -> list[dict[str, Any]]:
        """What modules were given on the gateway, in its order."""
        calls = [path for module in modules for path in (self.pi.folder / module).glob("*")]
        return [json.loads(path.read_text()) for path in sorted(calls, key=lambda path: path.stat().st_mtime_ns)]

    def commands(self) -> list[str]:
        """What was run or stopped there."""
        given = self.calls("command", "systemd_service")
        return [each.get("_raw_params") or f"{each['state']} {each['name']}" for each in given]

    def leases(self) -> list[int]:
        """The seconds of each clock that was started there."""
        return [int(found[1]) for one in self.commands() if (found := re.search(r"-over --on-active=(\d+)", one))]

    def users(self) -> list[list[str]]:
        """Who was let in, each time."""
        return [list(users) for users in self.passwords()]

    def passwords(self) -> list[dict[str, str]]:
        """What Mosquitto was given, each time."""
        return [asked["users"] for asked in self.pi.given("mosquitto_users") if "users" in asked]


def host(root: Path, name: str = "pi1", answers: dict[str, Any] | None = None, **variables: Any) -> Host:
    """A gateway on which all goes well."""
    samples = root / "services.json"
    samples.write_text('{"processes": {}}')
    told = {
        "setup": [{"ansible_facts": FACTS}],
        "mosquitto_users": [{"users": GATEWAY}],
        "command": [{"rc": 0, "stdout": "", "stderr": ""}],
        "stat": [
            {
                "stat": {
                    "exists": True,
                    "checksum": hashlib.sha1(samples.read_bytes(), usedforsecurity=False).hexdigest(),
                }
            }
        ],
        **(answers or {}),
    }
    return Host(root / "hosts", name, told, **variables)


def control_node(root: Path, codes: dict[str, int]) -> dict[str, str]:
    """Make what the control node has; returns where."""
    places = {name: root / name for name in ("control", "load", "built")}
    for place in places.values():
        (place / "bin").mkdir(parents=True)
        (place / ".complete").touch()
    (places["built"] / "raspi_kafka-0.1.0-py3-none-any.whl").touch()
    program = places["load"] / "bin" / "raspi-kafka"
    program.write_text(PROGRAM.format(python=sys.executable, codes=codes))
    program.chmod(0o755)
    own = {f"_python_venv_{name}": str(place) for name, place in places.items()}
    return {**own, "_load_test_samples": str(root / "services.json")}


def load_test(
    root: Path,
    *arguments: str,
    answers: dict[str, Any] | None = None,
    codes: dict[str, int] | None = None,
    more: str = "",
    **variables: Any,
) -> Stand:
    """Run the playbook with one gateway; `codes`: how the program ends, by its stages or its command."""
    pi = host(root, answers=answers, **variables)
    places = json.dumps(control_node(root, codes or {}))
    _code, said = run(root, inventory(pi) + more, "-e", places, *arguments, book="playbooks/load_test.yml")
    return Stand(root, pi, said)


def inventory(*hosts: Host) -> str:
    return "\n".join(["[pis]", *(one.line() for one in hosts), ""])


def load_generators(*hosts: Host) -> str:
    return "\n".join(["[load_generators]", *(one.line() for one in hosts), ""])


# --- what is refused before anything changes

SETTINGS = "load_test : Refuse contradictory settings"


class Case(NamedTuple):
    """One thing that is wrong, the task that refuses it, and a part of the message."""

    task: str
    says: str
    variables: dict[str, Any]
    answers: dict[str, Any]


def settings(**variables: Any) -> Case:
    says = "The settings of the load test do not fit: load_test_stages are numbers of devices from 1 to 19000"
    return Case(SETTINGS, says, variables, {})


def no_gateway(**users: Any) -> Case:
    says = "has no MQTT broker of this collection. Deploy it first: ansible-playbook raspi.kafka.site -i "
    return Case("load_test : Refuse a host that is no gateway", says, {}, {"mosquitto_users": [users]})


def option(*given: str, named: str) -> Case:
    says = f"load_test_options has {named}, which the play gives by itself"
    return Case("load_test : Refuse options that the play gives", says, {"load_test_options": list(given)}, {})


def schema(schemas: Any) -> Case:
    says = "mqtt_bridge_schemas has a schema for devices/+/#, where simulated devices publish"
    task = "load_test : Refuse a schema for what simulated devices send"
    return Case(task, says, {"mqtt_bridge_schemas": schemas}, {})


CASES = {
    "no stage": settings(load_test_stages=[]),
    "a stage of no device": settings(load_test_stages=[5, 0]),
    "a stage of more devices than Mosquitto takes": settings(load_test_stages=[5, 19001]),
    "a limit of more devices than Mosquitto takes": settings(load_test_find_limit=19001),
    "a limit below zero": settings(load_test_find_limit=-1),
    "a stage without time": settings(load_test_seconds=4),
    "a rate of 0": settings(load_test_rate=0),
    "a rate below 0": settings(load_test_rate=-1),
    "a quality of service that MQTT does not have": settings(load_test_qos=3),
    "options that are a text": settings(load_test_options="--bad=0.01"),
    **{
        f"the option {name}": option("--bad=0.01", f"{name}=1", named=name)
        for name in ("--hold", "--ramp", "--drain", "--stages", "--find-limit", "--out", "--credentials", "--rate")
    },
    "an option that is cut short": option("--hol=5", named="--hol"),
    "options with their values apart": option("--hold", "5", "--drain", "1", named="--hold and --drain"),
    "a schema that simulated devices do not fit": schema({"devices/+/#": "schemas/device.json"}),
    "a schema for them in a text": schema('{"devices/+/#": "schemas/device.json"}'),
    "a host whose programs are older": Case(
        "load_test : Refuse a host that has not",
        "has an older raspi-kafka. Run raspi.kafka.site first.",
        {},
        {"command": [{"rc": 1, "stderr": "No module named 'raspi_kafka.load_test'"}]},
    ),
    "a host without users": no_gateway(users=[]),
    "a host with another Mosquitto": no_gateway(users=["kitchen"]),
    "a host that cannot be asked for users": no_gateway(failed=True, msg="no such directory"),
}


@pytest.fixture(scope="module")
def refused(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Case -> its host, and task and message, from one run over all cases that are asked for."""
    root = tmp_path_factory.mktemp("refusals")
    asked = {item.callspec.params.get("name") for item in request.session.items if hasattr(item, "callspec")}
    names = [name for name in CASES if name in asked]
    hosts = {}
    for number, name in enumerate(names):
        # What is not refused ends at the first change.
        answers = {"host_files": [{"failed": True, "msg": "a change"}], **CASES[name].answers}
        hosts[name] = host(root, f"pi{10 + number}", answers, **CASES[name].variables)
    arguments = ("--forks=10", "-e", json.dumps(control_node(root, {})))
    _code, said = run(root, inventory(*hosts.values()), *arguments, book="playbooks/load_test.yml")
    found = failures(said)
    return {name: (one, *found.get(one.name, ("none", said))) for name, one in hosts.items()}


def changed(one: Host) -> list[dict[str, Any]]:
    """What was done to a host, but for questions."""
    writing = [given for given in one.given("mosquitto_users") if not given["_ansible_check_mode"]]
    commands = [given for given in one.given("command") if given["_raw_params"] != IMPORT]
    return one.given("host_files") + commands + writing


@pytest.mark.parametrize("name", CASES)
def test_a_load_test_is_refused_for(refused: dict[str, Any], name: str) -> None:
    one, task, text = refused[name]
    assert task == CASES[name].task, text
    assert CASES[name].says in text
    assert text.endswith("Nothing was changed.")
    assert changed(one) == []


@pytest.mark.parametrize(
    "wrong",
    [{"load_test_stages": [5], "load_test_find_limit": 9}, {"load_test_stages": [5, 1]}],
    ids=["limit", "stage"],
)
def test_what_two_generators_cannot_do_is_refused_before_they_get_programs(
    tmp_path: Path, wrong: dict[str, Any]
) -> None:
    generators = [host(tmp_path, name) for name in ("gen1", "gen2")]
    stand = load_test(tmp_path, more=load_generators(*generators), **wrong)
    task, text = failures(stand.said)["pi1"]
    assert task == "load_test : Refuse what several generators cannot do"
    assert text.startswith("The 2 hosts of [load_generators] share the devices of each stage")
    assert text.endswith("Nothing was changed.")
    assert [given for one in (stand.pi, *generators) for given in changed(one)] == []


def test_a_generator_that_limit_left_without_programs_is_refused_before_anything_changes(tmp_path: Path) -> None:
    generator = host(tmp_path, "gen1", {"stat": [{"stat": {"exists": False}}]})
    own = json.dumps({"_load_test_python": generator.variables["ansible_python_interpreter"]})
    # What is not refused ends at the first change.
    answers = {"host_files": [{"failed": True, "msg": "a change"}]}
    stand = load_test(tmp_path, "--limit", "pi1", "-e", own, answers=answers, more=load_generators(generator))
    task, text = failures(stand.said)["pi1"]
    assert task == "load_test : Refuse a generator without it"
    assert text.startswith("gen1 of [load_generators] has no /opt/raspi-kafka/load/bin/raspi-kafka, since --limit ")
    assert text.endswith("Run the play with --limit pi1,load_generators. Nothing was changed.")
    assert [given["path"] for given in generator.given("stat")] == ["/opt/raspi-kafka/load/bin/raspi-kafka"]
    assert changed(stand.pi) == changed(generator) == []


def test_a_dry_run_says_that_it_sends_nothing_and_contacts_nobody(tmp_path: Path) -> None:
    stand = load_test(tmp_path, "--check")
    assert "A load test needs real messages, and --check sends none. Run it without --check." in stand.said
    assert "failed=0" in stand.said
    assert stand.pi.given("setup") + stand.pi.given("mosquitto_users") + stand.given() == []


def test_hosts_that_take_no_messages_of_devices_are_left_out(tmp_path: Path) -> None:
    stand = load_test(tmp_path, mqtt_bridge_enabled=False)
    assert "failed=0" in stand.said
    assert stand.pi.given("setup") == []


# --- a run


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Stand:
    """A run of two stages that goes well, said very loudly."""
    root = tmp_path_factory.mktemp("held")
    course = {"load_test_stages": [2, 12], "load_test_rate": 41.5, "load_test_qos": 2, "load_test_seconds": 30}
    stand = load_test(root, "-vvv", "--diff", load_test_options=["--bad=0.01", "--pause=1:2"], **course)
    assert failures(stand.said) == {}, stand.said
    return stand


def test_users_are_named_for_the_largest_stage(held: Stand) -> None:
    names = [f"sim-{number:05}" for number in range(1, 13)]
    assert held.users() == [names, names]
    assert [sorted(given["passwords"]) for given in held.given()] == [names, names]


def test_the_largest_stage_may_be_that_of_the_limit(tmp_path: Path) -> None:
    stand = load_test(tmp_path, load_test_stages=[2], load_test_find_limit=4, pi_host_timeout_factor=2)
    assert stand.users() == [["sim-00001", "sim-00002", "sim-00003", "sim-00004"]] * 2
    assert [(given.get("stages"), given.get("find-limit")) for given in stand.given()] == [("2", None), (None, "4")]
    # 4 messages a second take a second of reading back. Many stages lie before a limit.
    lease = 2 * (10 + 60 + 30 + 120 + 1)
    assert stand.leases() == [lease, 20 * lease]
    assert f"--property=RuntimeMaxSec={21 * lease} " in " ".join(stand.commands())


def test_each_stage_is_told_what_was_asked_for(held: Stand) -> None:
    wanted = {"rate": "41.5", "qos": "2", "hold": "30", "bad": "0.01", "pause": "1:2", "append": ""}
    wanted |= {"spike": "7:1:2", "silence": "7:1:20"}
    wanted |= {"mqtt": "192.0.2.5:1883", "kafka": "192.0.2.5:9092"}
    assert [given["stages"] for given in held.given()] == ["2", "12"]
    for given in held.given():
        assert {name: given[name] for name in wanted} == wanted


# Settings, and what the simulated devices of each stage are told to do.
PLANTS: list[tuple[dict[str, Any], list[tuple[str, ...]]]] = [
    ({"load_test_stages": [2, 50, 359]}, [("15:1:3", "15:1:20"), ("15:5:3", "15:5:20"), ("15:35:3", "15:35:20")]),
    ({"load_test_stages": [1]}, [("15:1:3",)]),
    ({"load_test_stages": [20], "load_test_find_limit": 30}, [("15:2:3", "15:2:20"), ("15:1:3", "15:1:20")]),
    ({"load_test_stages": [1], "load_test_find_limit": 1}, [("15:1:3",), ("15:1:3",)]),
    ({"load_test_stages": [50], "load_test_seconds": 5}, [("1:5:3",)]),
    ({"load_test_stages": [50], "load_test_seconds": 26}, [("6:5:3", "6:5:20")]),
    ({"load_test_stages": [50], "load_test_seconds": 25}, [("6:5:3",)]),
    ({"load_test_stages": [50], "load_test_rate": 0.2}, [("15:5:11", "15:5:20")]),
    ({"load_test_stages": [50], "load_test_seconds": 8, "load_test_rate": 0.2}, [()]),
    ({"load_test_stages": [50], "load_test_rate": 0.19}, [()]),
    ({"load_test_stages": [50], "alerting_enabled": False}, [()]),
    ({"load_test_stages": [50], "load_test_options": ["--spike=1:9:2"]}, [()]),
    ({"load_test_stages": [50], "load_test_options": ["--bad=0.1", "--sil=1:9:30"]}, [()]),
]
ASSERT = """
- hosts: all
  gather_facts: false
  vars_files: ["{role}/vars/main.yml"]
  tasks:
    - assert:
        that: _load_test_plants == ['--spike=', '--silence='] | zip(plants[at]) | map('join') | list
        fail_msg: "{{{{ _load_test_plants }}}}"
      vars: {{__load_test_number: 0}}
      loop: "{{{{ load_test_stages + ([0] if load_test_find_limit else []) }}}}"
      loop_control: {{loop_var: __load_test_stage, index_var: at}}
"""


def test_each_stage_plants_what_fits_where_alerting_is_there(tmp_path: Path) -> None:
    course = {"load_test_seconds": 60, "load_test_rate": 1.0, "load_test_find_limit": 0, "load_test_options": []}
    hosts = [
        host(tmp_path, f"pi{10 + at}", **{**course, **variables, "plants": plants})
        for at, (variables, plants) in enumerate(PLANTS)
    ]
    (tmp_path / "plants.yml").write_text(ASSERT.format(role=REPOSITORY / "roles" / "load_test"))
    code, said = run(tmp_path, inventory(*hosts), "--forks=10", book=str(tmp_path / "plants.yml"))
    assert (code, failures(said)) == (0, {}), said


def test_what_is_planted_by_default_fits_its_stage() -> None:
    for variables, every in PLANTS:
        hold = float(variables.get("load_test_seconds", 60))
        for spike, *silence in filter(None, every):
            asked = simulate.plants(argparse.Namespace(spike=[spike], silence=silence, hold=hold))
            assert [each.kind for each in asked] == ["spike", *("silence" for _each in silence)]


def test_the_same_password_is_on_the_host_and_in_nobodys_ears(held: Stand) -> None:
    (password,) = {word for given in held.given() for word in given["passwords"].values()}
    assert {word for users in held.passwords() for word in users.values()} == {password}
    assert len(password) == 32
    assert "mosquitto_users" in held.said
    assert password not in held.said


def test_nothing_is_left_of_the_passwords(held: Stand) -> None:
    folders = [Path(given["out"]) for given in held.given()]
    assert folders[0] == folders[1]
    assert folders[0].parent == held.root / "load-tests"
    assert folders[0].name.startswith("pi1-")
    assert sorted(path.name for path in folders[0].iterdir()) == ["ledger.json", "services.json"]


def test_the_clock_is_wound_up_for_each_stage_before_users_are_let_in_again(held: Stand) -> None:
    """They could have been taken out meanwhile: by the clock of the stage before."""
    given = held.calls("command", "mosquitto_users")
    steps = ["clock" if "-over --on-active=" in each.get("_raw_params", "") else each.get("users") for each in given]
    assert [step if step == "clock" else len(step) for step in steps if step] == ["clock", 12, "clock", 12]
    # Mosquitto is asked each time whether it has read them.
    assert len([one for one in held.commands() if one.startswith("sha256sum --check")]) == 2


def test_a_clock_outlasts_its_stage_and_what_is_read_back(held: Stand) -> None:
    """Of 12 devices that send 15 000 messages in 30 s, for instance, 5000 are read back in a second."""
    assert held.leases() == [10 + 30 + 30 + 120 + 3] * 2
    commands = held.commands()
    starts = [number for number, one in enumerate(commands) if "-over --on-active=" in one]
    assert [commands[number - 1] for number in starts] == [STOP("over.timer")] * 2
    assert all(one.endswith(OVER) for number, one in enumerate(commands) if number in starts)


def test_nobody_is_let_in_where_the_clock_does_not_start(tmp_path: Path) -> None:
    failed = {"failed": True, "rc": 1, "msg": "systemd-run failed"}
    fine = {"rc": 0}
    # What samples is there, and watches.
    stand = load_test(tmp_path, answers={"command": [fine, fine, failed, fine]})
    assert failures(stand.said)["pi1"] == ("load_test : Start it anew", "systemd-run failed")
    assert stand.users() == stand.given() == []
    assert stand.pi.given("host_files")[0]["files"][0]["path"].endswith("/libexec/load_test_over.py")


def test_what_takes_the_users_out_is_this_collections_own(held: Stand) -> None:
    (given,) = held.pi.given("host_files")
    (file,) = given["files"]
    source = Path(__file__).parents[2] / "roles/load_test/files/load_test_over.py"
    assert file["content"] == source.read_text(encoding="utf-8")


def test_services_are_watched_by_what_the_host_has(held: Stand) -> None:
    (watch,) = [one for one in held.commands() if "--unit=raspi-kafka-load-test-watch" in one]
    assert "/opt/raspi-kafka/edge/bin/python -m raspi_kafka.load_test.sample" in watch
    assert re.findall(r"'(\S+ \S+=\S+)'", watch) == [
        "pi1 kafka=kafka.service",
        "pi1 mosquitto=mosquitto.service",
        "pi1 bridge=raspi-kafka-bridge.service",
        "pi1 alerting=raspi-kafka-alerting.service",
    ]


def test_what_watches_for_a_play_that_was_ended_is_stopped_first(held: Stand) -> None:
    """Or its unit would be there already."""
    commands = held.commands()
    (watch,) = [number for number, one in enumerate(commands) if "--unit=raspi-kafka-load-test-watch" in one]
    assert commands[watch - 1] == STOP("watch.service")


def test_nobody_watches_longer_than_all_stages_may_take_or_takes_samples_of_another_run_for_his(held: Stand) -> None:
    given = held.calls("file", "command")
    removed, watch = next(pair for pair in pairwise(given) if "-watch " in str(pair[1]))
    assert (removed["path"], removed["state"]) == (str(held.root / "services.json"), "absent")
    assert f"--property=RuntimeMaxSec={sum(held.leases())} " in watch["_raw_params"]


ENDS = [OVER, STOP("over.timer"), STOP("watch.service")]


def test_in_the_end_users_and_clocks_are_gone(held: Stand) -> None:
    assert held.commands()[-3:] == ENDS


@pytest.mark.parametrize("code", [2, 130])
def test_they_are_gone_too_where_a_stage_cannot_be_run(tmp_path: Path, code: int) -> None:
    stand = load_test(tmp_path, load_test_stages=[1, 2], codes={"1": code})
    assert failures(stand.said)["pi1"][0] == "load_test : Run it"
    assert [given["stages"] for given in stand.given()] == ["1"]
    assert stand.commands()[-3:] == ENDS
    assert list(Path(stand.given()[0]["out"]).iterdir()) == []
    assert stand.given("report") == []


def test_the_stages_before_one_that_cannot_be_run_are_reported_and_the_play_fails(tmp_path: Path) -> None:
    stand = load_test(tmp_path, load_test_stages=[1, 2, 3], codes={"2": 2})
    assert failures(stand.said)["pi1"][0] == "load_test : Run it"
    assert len(stand.given("report")) == 1
    assert stand.said.index("load_test : Run it") < stand.said.index("the table of the report")


def test_a_clock_goes_on_where_users_could_not_be_taken_out(tmp_path: Path) -> None:
    fine, failed = {"rc": 0}, {"failed": True, "rc": 1, "msg": "Read-only file system"}
    # What samples is there and watches, the clock, what Mosquitto has read; then the end.
    stand = load_test(tmp_path, load_test_stages=[1], answers={"command": [*[fine] * 4, failed]})
    assert failures(stand.said)["pi1"] == ("load_test : Take simulated devices out", "Read-only file system")
    assert stand.commands()[-1] == OVER
    # Nor do the passwords wait for the host.
    assert not (Path(stand.given()[0]["out"]) / "credentials.json").exists()


# --- a generator of its own


ENDED = {"finished": 1, "rc": 0, "stdout": "", "stderr": ""}


def generate(root: Path, *ends: dict[str, Any], **variables: Any) -> tuple[Stand, list[Host]]:
    """Run the playbook with a generator for each of `ends`, which says how its program ends."""
    out = root / "generated"
    out.mkdir()
    (out / "ledger.json").write_text("{}")
    # An environment that is finished; each of its commands goes well.
    command = [{"rc": 0, "stdout": "x86_64 3.11 True", "stderr": ""}]
    checksum = hashlib.sha1(b"{}", usedforsecurity=False).hexdigest()
    stat = [{"stat": {"exists": True, "isdir": False, "checksum": checksum}}]
    answers = {"command": command, "stat": stat}
    generators = [host(root, f"gen{number}", {**answers, "async_status": [end]}) for number, end in enumerate(ends, 1)]
    own = {"_load_test_out": str(out), "load_test_seconds": 5, "_load_test_ramp": -5}
    # Of each its own, which notes what it is given.
    own["_load_test_python"] = "{{ hostvars[__load_test_generator].ansible_python_interpreter }}"
    arguments = ("-vv", "-e", json.dumps(own))
    return load_test(root, *arguments, more=load_generators(*generators), **variables), generators


def ran(generator: Host) -> list[list[str]]:
    """What was run on it, each time."""
    return [given["argv"] for given in generator.given("command") if given.get("argv")]


def test_a_generator_gets_programs_and_passwords_and_runs_the_stages(tmp_path: Path) -> None:
    stand, (generator,) = generate(tmp_path, ENDED, load_test_stages=[1, 2])
    assert failures(stand.said) == {}, stand.said
    argvs = ran(generator)
    assert [argv[:3] for argv in argvs] == [["/opt/raspi-kafka/load/bin/raspi-kafka", "load-test", "--append"]] * 2
    assert [argv[-1] for argv in argvs] == ["--stages=1", "--stages=2"]
    out = tmp_path / "generated"
    assert {"--mqtt=192.0.2.5:1883", "--kafka=192.0.2.5:9092", f"--out={out}"} <= set(argvs[0])
    credentials = f"{out}/credentials.json"
    assert [(given["dest"], given["mode"]) for given in generator.given("copy")] == [(credentials, "0600")] * 2
    assert [given["path"] for given in generator.given("file") if given["state"] == "absent"] == [credentials] * 2
    (folder,) = (tmp_path / "load-tests").iterdir()
    assert sorted(path.name for path in folder.iterdir()) == ["ledger.json", "services.json"]
    assert stand.given() == []
    assert "the table of the report" in stand.said


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Stand, list[Host]]:
    """A run of two stages by three generators that goes well."""
    stand, generators = generate(tmp_path_factory.mktemp("shared"), ENDED, ENDED, ENDED, load_test_stages=[4, 9])
    assert failures(stand.said) == {}, stand.said
    return stand, generators


def test_several_generators_share_the_devices_of_each_stage(shared: tuple[Stand, list[Host]]) -> None:
    stand, generators = shared
    stages = [[argv[-1] for argv in ran(one)] for one in generators]
    assert stages == [["--stages=2", "--stages=3"], ["--stages=1", "--stages=3"], ["--stages=1", "--stages=3"]]
    users = stand.passwords()[0].items()
    for number, one in enumerate(generators):
        passwords = json.dumps({"passwords": dict([*users][3 * number : 3 * number + 3])}).encode()
        checksum = hashlib.sha1(passwords, usedforsecurity=False).hexdigest()
        assert [given["checksum"] for given in one.given("copy")] == [checksum] * 2


def test_a_run_has_one_name_for_all_generators(shared: tuple[Stand, list[Host]]) -> None:
    stand, generators = shared
    (folder,) = (stand.root / "load-tests").iterdir()
    names = {word for one in generators for argv in ran(one) for word in argv if word.startswith("--run=")}
    assert names == {f"--run={folder.name.removeprefix('pi1-')}"}


def test_all_generators_run_before_one_is_waited_for(shared: tuple[Stand, list[Host]]) -> None:
    _stand, generators = shared
    calls = sorted(
        (path.stat().st_mtime_ns, module)
        for one in generators
        for module in ("command", "async_status")
        for path in (one.folder / module).glob("*")
        if module == "async_status" or json.loads(path.read_text()).get("argv")
    )
    assert [module for _when, module in calls] == [*["command"] * 3, *["async_status"] * 3] * 2


def test_the_ledgers_of_all_generators_become_one(shared: tuple[Stand, list[Host]]) -> None:
    stand, _generators = shared
    (folder,) = (stand.root / "load-tests").iterdir()
    merged, report = stand.given("report")
    parts = [f"{folder}/ledger-gen{number}.json" for number in (1, 2, 3)]
    assert merged == {"merged": f"{folder}/ledger.json", **dict.fromkeys(parts, "")}
    assert {f"{folder}/ledger.json", "html", "processes"} <= report.keys()
    assert all(Path(part).exists() for part in parts)


def test_where_one_generator_cannot_run_a_stage_all_are_waited_for_and_lose_the_passwords(tmp_path: Path) -> None:
    stand, generators = generate(
        tmp_path, {**ENDED, "rc": 2, "stderr": "it has no files"}, ENDED, load_test_stages=[2, 4]
    )
    assert failures(stand.said)["pi1"][0] == "load_test : Wait for the end of all"
    assert [len(one.given("async_status")) for one in generators] == [1, 1]
    removed = [given["path"] for one in generators for given in one.given("file") if given["state"] == "absent"]
    assert removed == [f"{tmp_path}/generated/credentials.json"] * 2
    assert "the table of the report" in stand.said


# --- what is said of it


def test_the_report_has_services_and_plots_and_says_where(held: Stand) -> None:
    (given,) = held.given("report")
    folder = held.given()[0]["out"]
    assert {f"{folder}/ledger.json", "html", "processes"} <= given.keys()
    assert "the table of the report" in held.said
    assert f"{folder}/report.html" in held.said


def test_samples_that_do_not_fit_are_left_out_of_the_report_with_a_warning(tmp_path: Path) -> None:
    stand = load_test(tmp_path, load_test_stages=[1], codes={"services": 2})
    assert failures(stand.said) == {}
    assert ["processes" in given for given in stand.given("report")] == [True, False]
    assert "the table of the report" in stand.said
    assert "WARNING: What the services cost is not in the report: clocks differ\n" in stand.said


def test_a_stage_that_was_not_held_fails_the_play_without_samples_too(tmp_path: Path) -> None:
    stand = load_test(tmp_path, load_test_stages=[1], codes={"services": 2, "report": 1})
    assert failures(stand.said)["pi1"][0] == "load_test : Fail where a stage did"


def test_a_stage_that_was_not_held_is_no_reason_to_skip_the_next_and_fails_the_play_after_the_table(
    tmp_path: Path,
) -> None:
    stand = load_test(tmp_path, load_test_stages=[1, 2, 3], codes={"1": 1, "2": 3, "report": 1})
    assert [given["stages"] for given in stand.given()] == ["1", "2", "3"]
    task, text = failures(stand.said)["pi1"]
    assert task == "load_test : Fail where a stage did"
    assert text.startswith("pi1 did not hold a stage of the load test. The table above says which")
    assert stand.said.index("the table of the report") < stand.said.index("did not hold a stage")


def test_a_generator_that_was_too_slow_proves_nothing_and_fails_nobody(tmp_path: Path) -> None:
    stand = load_test(tmp_path, load_test_stages=[1], codes={"1": 3, "report": 3})
    assert failures(stand.said) == {}


# --- simulated devices are nobody's devices


def device(root: Path, *arguments: str, **answers: Any) -> tuple[Host, str]:
    """Run the playbook of devices; returns the host and what was said."""
    told = {"stat": [{"stat": {"exists": True}}], "last_records": [{"records": {}, "complete": True, "since": 1}]}
    pi = host(root, answers={**told, **answers})
    return pi, run(root, inventory(pi), *arguments, book="playbooks/device.yml")[1]


def test_a_device_cannot_be_called_like_a_simulated_one(tmp_path: Path) -> None:
    pi, said = device(tmp_path, "-e", "add=sim-00001")
    task, text = failures(said)["pi1"]
    assert task == "mosquitto : Refuse names that no device can have"
    assert text.startswith("sim-00001 cannot be the name of a device")
    assert "sim- with five digits those of its load test" in text
    assert pi.given("mosquitto_users") == []


def test_simulated_devices_are_not_listed(tmp_path: Path) -> None:
    users = ["raspi-kafka-bridge", "kitchen", "sim-00001", "sim-00002", "sim-00003-hall"]
    said = device(tmp_path, mosquitto_users=[{"users": users}])[1]
    assert re.search(r"pi1 has 2 devices; heard last\n  kitchen +never\n  sim-00003-hall +never\n", said), said


def test_nobody_is_asked_for_the_passwords_of_simulated_devices(tmp_path: Path) -> None:
    """While a load test runs, or where it was ended, devices come and go as before."""
    answers = {"mosquitto_users": [{"users": ["raspi-kafka-bridge", "sim-00001"]}]}
    said = device(tmp_path, "-e", "add=sim-00001-hall", **answers)[1]
    assert "sim-00001-hall may publish to pi1" in said

"""The client of an engine by its address."""

import subprocess
import sys

import pytest
from awxfast.engine.nats_carrier import NatsCarrier
from awxfast.engine.open_carrier import open_carrier
from awxfast.engine.redis_cluster import RedisClusterCarrier
from awxfast.errors import ConfigurationError


def test_cluster_of_redis_has_its_carrier() -> None:
    assert isinstance(open_carrier("redis-cluster://a:1,b:2"), RedisClusterCarrier)


def test_nats_has_its_carrier() -> None:
    assert isinstance(open_carrier("nats://a:1,b:2"), NatsCarrier)


def test_operator_without_nats_py_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in ("nats", "nkeys")]:
        monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.startswith("awxfast.engine.nats_")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "nats", None)
    monkeypatch.setitem(sys.modules, "nkeys", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'awxfast\[nats\]'"):
        open_carrier("nats://a")


@pytest.mark.parametrize("group", ["metrics", "job_events-17", "a..b", "a.b", "A-b_c", "."])
def test_channel_of_a_group_in_nats_tells_the_group(group: str) -> None:
    names = open_carrier("nats://a?prefix=site").names
    subject = names.of(group)
    assert subject.split(".")[:2] == ["site", "group"] and len(subject.split(".")) == 3
    assert names.group(subject) == group
    assert names.wants == "site.wants"


@pytest.mark.parametrize("group", ["metrics", "job_events-17", "a..b", "group:x"])
def test_channel_of_a_group_in_redis_tells_the_group(group: str) -> None:
    names = open_carrier("redis-cluster://a?prefix=site").names
    assert names.of(group) == f"site:group:{group}"
    assert names.group(names.of(group)) == group
    assert names.wants == "site:wants"


@pytest.mark.parametrize("module", ["awxfast.broadcast.program", "awxfast.app.builders"])
def test_processes_without_an_engine_load_no_client_of_one(module: str) -> None:
    words = f"import sys, {module}; print(sorted({{'redis', 'nats', 'nkeys'}} & sys.modules.keys()))"
    assert subprocess.check_output([sys.executable, "-c", words], text=True) == "[]\n"

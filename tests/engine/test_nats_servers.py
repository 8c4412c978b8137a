"""Which server of a cluster is tried when."""

import pytest
from awxfast.engine.nats_servers import MOST_TOLD, NatsServers


def round_of(servers: NatsServers) -> list[tuple[str, int]]:
    return [servers.take_next() for _ in range(len(servers))]


def test_each_has_its_turn_and_the_last_one_comes_last() -> None:
    servers = NatsServers([("a", 1), ("b", 2), ("c", 3)])
    first = round_of(servers)
    assert sorted(first) == [("a", 1), ("b", 2), ("c", 3)]
    assert round_of(servers) == first


def test_nodes_begin_with_different_servers() -> None:
    begun = {NatsServers([("a", 1), ("b", 2)]).take_next() for _ in range(100)}
    assert begun == {("a", 1), ("b", 2)}


def test_told_servers_are_tried_before_the_one_that_broke() -> None:
    servers = NatsServers([("a", 1)])
    servers.take_next()
    servers.learn(["10.0.0.1:4222", "b:1", "a:1"])
    first = round_of(servers)
    assert sorted(first[:2]) == [("10.0.0.1", 4222), ("b", 1)] and first[2] == ("a", 1)


def test_told_server_that_is_gone_is_forgotten_and_a_named_one_never() -> None:
    servers = NatsServers([("a", 1)])
    servers.learn(["b:1", "c:1"])
    servers.learn(["c:1"])
    assert sorted(round_of(servers)) == [("a", 1), ("c", 1)]


@pytest.mark.parametrize("told", [7, None, "", "x", "x:y", "x:99999", ":1", "[::1", {"a": 1}])
def test_told_nonsense_is_left_out(told: object) -> None:
    servers = NatsServers([("a", 1)])
    servers.learn([told])
    assert round_of(servers) == [("a", 1)]


def test_told_servers_are_bounded() -> None:
    servers = NatsServers([("a", 1)])
    servers.learn([f"b:{port}" for port in range(1, 1_000)])
    assert len(servers) == MOST_TOLD + 1


@pytest.mark.parametrize(
    ("place", "name"),
    [(("nats.site", 1), "nats.site"), (("10.0.0.9", 2), "nats.site"), (("::1", 2), "nats.site"), (("b", 2), "b")],
)
def test_certificate_has_to_name_the_host_or_the_first_one_for_a_bare_address(
    place: tuple[str, int], name: str
) -> None:
    assert NatsServers([("nats.site", 1)]).name_for_certificate(place) == name


def test_named_address_is_what_its_certificate_has_to_name() -> None:
    assert NatsServers([("nats.site", 1), ("10.0.0.9", 2)]).name_for_certificate(("10.0.0.9", 2)) == "10.0.0.9"

"""The simulation of clusters: what it makes of measured costs, and that its paper says what it prints."""

import dataclasses
import re
from pathlib import Path

import pytest
from awxfast.broadcast import dialler, interest
from awxfast.engine import known_wants, told_wants
from scaling import demands
from scaling.demands import Demand, first_to_give_way, list_demands
from scaling.limits import SAFE, fewest_servers, most, most_nodes
from scaling.loads import Load
from scaling.report import blocks, load_table
from scaling.unit_costs import CarrierCosts, Curve, Line, UnitCosts, copies_of, fitted, read_costs, take_report
from workloads.clusters import CARRIERS, MESH, NATS, REDIS_CLUSTER
from write_papers import BLOCK

PAGE = Path(__file__).resolve().parents[2] / "docs" / "scaling.md"


def flat(base: float, copy: float = 0.0) -> Curve:
    """The same at every rate."""
    return Curve((Line(100, base, copy),))


COSTS = UnitCosts(
    about={},
    carriers={
        MESH: CarrierCosts(flat(10, 2), flat(20), flat(5), flat(30), None),
        REDIS_CLUSTER: CarrierCosts(flat(12), flat(20), flat(5), flat(0), flat(10, 4)),
        NATS: CarrierCosts(flat(12), flat(20), flat(5), flat(0), flat(10, 4)),
    },
    frame_us=2,
    browser_kib=8,
    link_kib=100,
    process_mib=64,
    notice_us=5,
    want_us=10,
    control_us=1,
)


def load(**changed: float) -> Load:
    return dataclasses.replace(Load(nodes=10, events=1000, browsers=1000), **changed)  # type: ignore[arg-type]


def find(carrier: str, part: str, of: Load) -> Demand:
    (found,) = (demand for demand in list_demands(COSTS, carrier, of) if demand.part == part)
    return found


class TestCurves:
    CURVE = Curve((Line(100, 100), Line(10_000, 20, 1)))

    def test_measured_rates_cost_what_was_measured(self) -> None:
        assert (self.CURVE.at(100), self.CURVE.at(10_000, copies=5)) == (100, 25)

    def test_between_two_rates_the_logarithm_decides(self) -> None:
        assert self.CURVE.at(1000) == pytest.approx(60)

    def test_past_what_was_measured_nothing_changes(self) -> None:
        assert (self.CURVE.at(1), self.CURVE.at(1e6)) == (100, 20)

    def test_line_goes_through_both_numbers_of_nodes(self) -> None:
        line = fitted(100, 16, 31, (2, 7))
        assert (line.base, line.copy, line.at(23)) == (10, 3, 79)

    def test_noise_makes_no_copy_cheaper_than_nothing(self) -> None:
        line = fitted(100, 30, 28, (2, 7))
        assert (line.at(2), line.at(23)) == (29, 29)

    def test_copies_of_nats_have_routes_too(self) -> None:
        assert [copies_of(kind, 8) for kind in (MESH, REDIS_CLUSTER, NATS)] == [7, 7, 9]


class TestReports:
    RUN = ({"sender_us_an_event": 20.0, "receiver_us_an_event": 30.0, "redis_us_an_event": 9.0, "events_per_s": 990.0},)

    def test_costs_are_the_medians_of_runs_with_few_nodes_and_more(self) -> None:
        more = [{**self.RUN[0], "sender_us_an_event": value} for value in (35.0, 30.0, 90.0)]
        results = {"nodes-3-1000": {MESH: list(self.RUN)}, "nodes-8-1000": {MESH: more}}
        taken = take_report({"about": {"date": "today"}, "results": results})
        assert taken["carriers"][MESH]["sender"] == [{"rate": 990, "base": 14, "copy": 3}]
        assert taken["carriers"][MESH]["receiver"] == [{"rate": 990, "base": 30, "copy": 0}]
        assert [*taken["carriers"]] == [MESH]

    def test_report_of_something_else_says_nothing_of_carriers(self) -> None:
        taken = take_report({"about": {}, "results": {"idle-1000": {"awxfast": [{"rss_kib_a_client": 7.0}]}}})
        assert taken == {"about": {}, "browser_kib": 7}


class TestLoads:
    def test_event_with_one_watcher_goes_to_another_node_nearly_always(self) -> None:
        one = load(watchers=1)
        assert (one.wanting, one.wanted_elsewhere) == (pytest.approx(0.9), pytest.approx(0.9))

    def test_event_that_very_many_watch_goes_to_every_other_node(self) -> None:
        everybody = load(watchers=1000)
        assert (everybody.wanting, everybody.wanted_elsewhere) == (pytest.approx(9), pytest.approx(1))

    def test_as_much_comes_to_a_node_as_leaves_it(self) -> None:
        assert load().received == pytest.approx(load().events / 10 * load().wanting)

    def test_browsers_with_a_fellow_in_their_group_change_nothing(self) -> None:
        assert load(watchers=1).changes == pytest.approx(2 * 1000 / 60)
        assert load(watchers=1000).changes == pytest.approx(0, abs=1e-9)


class TestDemands:
    def test_meshs_sender_pays_for_each_node_that_wants_it_and_an_engines_once(self) -> None:
        few, many = load(watchers=1), load(watchers=1000)
        part = "a dialler's core: events"
        assert find(MESH, part, many).used == pytest.approx(100 * (10 + 2 * 9) / 1e6)
        assert find(MESH, part, few).used < find(MESH, part, many).used
        assert find(NATS, part, many).used == pytest.approx(100 * 12 / 1e6)

    def test_masters_share_events_but_not_the_control_channel(self) -> None:
        six = load(engine_servers=6)
        events, control = demands.MASTER, demands.CONTROL
        assert find(REDIS_CLUSTER, events, six).used == pytest.approx(find(REDIS_CLUSTER, events, load()).used / 2)
        assert find(REDIS_CLUSTER, control, six).used == find(REDIS_CLUSTER, control, load()).used

    def test_beats_grow_with_the_square_of_the_nodes(self) -> None:
        still = load(browsers=0, events=0)
        one, two = (find(REDIS_CLUSTER, demands.CONTROL, dataclasses.replace(still, nodes=n)) for n in (10, 20))
        assert two.used == pytest.approx(4 * one.used)
        assert one.used == pytest.approx(20 / 5 * 20 * 1e-6)

    def test_changes_that_come_close_together_are_one_message_of_a_server(self) -> None:
        few, many = load(browsers=10, watchers=1), load(browsers=100_000, watchers=1, stay_s=1)
        assert demands.tellings(few) == pytest.approx(few.changes)
        assert demands.tellings(many) == pytest.approx(10 / told_wants.LONGEST_GATHER_SECONDS)
        assert find(NATS, demands.ENGINE_NETWORK, many).used > many.changes * demands.GROUP_BYTES * 20 / 3

    @pytest.mark.parametrize("carrier", CARRIERS)
    def test_more_events_never_take_less_of_anything(self, carrier: str) -> None:
        costs, few, more = read_costs(), load(), load(events=50_000)
        pairs = zip(list_demands(costs, carrier, few), list_demands(costs, carrier, more), strict=True)
        assert [one.part for one, other in pairs if other.used < one.used] == []

    def test_bounds_are_those_of_the_programs(self) -> None:
        assert (demands.MOST_WHOS, demands.MOST_PAIRS) == (known_wants.MOST_OTHERS, known_wants.MOST_PAIRS)
        assert demands.MOST_GROUPS == known_wants.MOST_GROUPS
        gathering = told_wants.GATHER_SECONDS, told_wants.LONGEST_GATHER_SECONDS, told_wants.MANY
        assert gathering == (demands.GATHER_S, demands.LONGEST_GATHER_S, demands.MANY)
        assert demands.MOST_GROUPS_OF_A_PEER == interest.MAX_SUBSCRIPTIONS
        assert demands.MOST_PEERS == dialler.MAX_PEERS


class TestLimits:
    def test_most_is_where_the_fullest_part_is_at_what_is_safe(self) -> None:
        limit = most(COSTS, MESH, lambda events: load(events=events))
        at_it = first_to_give_way(COSTS, MESH, load(events=limit.most))
        assert at_it.share == pytest.approx(SAFE)
        assert at_it.part == limit.demand.part == "a server's loop: events"

    def test_most_nodes_is_the_last_that_is_safe(self) -> None:
        def make(nodes: int) -> Load:
            return Load(nodes=nodes, events=500.0 * nodes, browsers=0, watchers=100.0 * nodes)

        found = most_nodes(COSTS, MESH, make, 500)
        shares = [first_to_give_way(COSTS, MESH, make(nodes)).share for nodes in (found, found + 1)]
        assert shares[0] <= SAFE < shares[1]

    def test_more_masters_carry_more_events(self) -> None:
        assert fewest_servers(COSTS, REDIS_CLUSTER, load(events=10_000)) == 3
        assert fewest_servers(COSTS, REDIS_CLUSTER, load(events=100_000, watchers=1)) == 3
        assert fewest_servers(COSTS, REDIS_CLUSTER, load(events=100_000)) == 5

    def test_more_masters_do_not_help_the_control_channel(self) -> None:
        assert fewest_servers(COSTS, REDIS_CLUSTER, load(nodes=500, browsers=1e6)) is None


class TestPaper:
    def test_same_costs_give_the_same_tables(self) -> None:
        assert blocks(read_costs()) == blocks(read_costs())

    def test_page_says_what_the_command_prints(self) -> None:
        found = {f"scale-{name}": f"{words}\n" for name, words in blocks(read_costs()).items()}
        shown = {name: words for _, name, words, _ in BLOCK.findall(PAGE.read_text())}
        assert shown and shown == {name: found[name] for name in shown}

    def test_24_nodes_are_ahead_on_the_line_through_3_and_8(self) -> None:
        rows = [line.split(" | ") for line in blocks(COSTS)["ahead"].splitlines()[2:]]
        assert [row[1] for row in rows] == ["14, 20", "24, 20", "56, 20"]
        assert [row[2] for row in rows] == ["12, 20, 18", "12, 20, 38", "12, 20, 102"]

    def test_one_cluster_has_a_line_for_each_part_of_each_carrier(self) -> None:
        lines = load_table(COSTS, load()).splitlines()[2:]
        expected = [demand.part for carrier in CARRIERS for demand in list_demands(COSTS, carrier, load())]
        assert [re.split(r" ?\| ?", line)[2] for line in lines] == expected

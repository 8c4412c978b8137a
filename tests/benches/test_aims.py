"""Goals against figures, and what a run was bound by."""

from papers.aims import AIMS, ECHOES, aims_table, beside
from papers.bounds import bound, bounds_table
from papers.two_workers import by_one, where_there_is_room

RESULTS = {
    "flat-out-100": {"daphne": [{"frames_per_cpu_s": 10.0}], "awxfast": [{"frames_per_cpu_s": 2900.0}]},
    "storm": {"daphne": [{"handshakes_per_s": 500.0}], "awxfast": [{"handshakes_per_s": 5000.0}]},
    "equal-100": {"awxfast": [{"cpu_s_per_m": 1.0}]},
    "equal-1000": {"awxfast": [{"cpu_s_per_m": 0.8}]},
    "equal-9000": {"awxfast": [{"cpu_s_per_m": 1.6}]},
}
BARE = ECHOES["bare"]


def rows() -> dict[str, list[str]]:
    lines = [line.strip("| ").split(" | ") for line in aims_table(RESULTS).splitlines()[2:]]
    return {cells[0]: cells[1:] for cells in lines}


class TestGoals:
    def test_goal_that_is_missed_says_no(self) -> None:
        (row,) = [cells for words, cells in rows().items() if words.startswith("frames per CPU second through Redis")]
        assert row == ["300 or more", "290", "**no**"]

    def test_goal_that_is_met_says_yes(self) -> None:
        assert rows()["handshakes/s, native: times daphne's"] == ["10 or more", "10", "yes"]

    def test_handshakes_of_an_application_are_held_against_daphnes(self) -> None:
        results = {
            "hosted-storm-bare": {"daphne": [{"handshakes_per_s": 500.0}], "hosted": [{"handshakes_per_s": 1600.0}]}
        }
        lines = [line.strip("| ").split(" | ") for line in aims_table(results).splitlines()[2:]]
        assert ["the same of a bare ASGI application", "3 or more", "3.2", "yes"] in lines

    def test_cost_a_frame_is_held_over_three_workloads(self) -> None:
        (row,) = [cells for words, cells in rows().items() if words.startswith("CPU a frame")]
        assert row == ["1.3 or less", "2", "**no**"]

    def test_client_with_its_first_subscription_is_one_of_those_that_hear_nothing(self) -> None:
        results = {
            "storm": {"awxfast": [{"cpu_us_a_client": 110.0}]},
            "idle-1000": {"awxfast": [{"cpu_us_a_client": 190.0}]},
        }
        (row,) = [line for line in aims_table(results).splitlines() if "with its first subscription" in line]
        assert row == "| the same: CPU us a client with its first subscription | 180 or less | 190 | **no** |"

    def test_message_to_an_application_is_held_by_the_workload_where_it_is_worst(self) -> None:
        results = {name: {"uvicorn": [{"messages_per_s": 10.0}], "hosted": [{"messages_per_s": 30.0}]} for name in BARE}
        results[BARE[2]]["hosted"][0]["messages_per_s"] = 12.0
        assert beside("messages_per_s", "uvicorn", *BARE)(results) == [1.2]
        assert beside("messages_per_s", "daphne", *BARE)(results) == []

    def test_two_workers_are_held_to_their_frames_only_where_the_load_leaves_room(self) -> None:
        ones = [{"frames_per_s": 10.0, "cpu_s_per_m": 20.0}] * 2
        load = [{"load_core_percent": percent, "strangers_cpu_percent": 2.0} for percent in (90.0, 10.0)]
        twos = [{"frames_per_s": 15.0, "cpu_s_per_m": 22.0, **figures} for figures in load]
        results = {"hosted-workers-events": {"one-worker": ones, "two-workers": twos}}
        assert by_one("cpu_s_per_m", "hosted-workers-events")(results) == [1.1, 1.1]
        assert by_one("frames_per_s", "hosted-workers-events")(results) == [1.5, 1.5]
        assert where_there_is_room("frames_per_s", "hosted-workers-events")(results) == [1.5]

    def test_goal_without_figures_says_so(self) -> None:
        assert len(aims_table({}).splitlines()) == len(AIMS) + 2
        assert all("not measured" in line for line in aims_table({}).splitlines()[2:])


class TestBounds:
    def test_load_client_is_blamed_when_it_fills_its_core(self) -> None:
        runs = [{"server_cpu_percent": 60.0, "load_core_percent": 99.0, "clients_cpu_percent": 95.0}]
        assert bound(runs) == "**the load client**"

    def test_full_server_is_the_bound_also_beside_a_full_load(self) -> None:
        assert bound([{"server_cpu_percent": 95.0, "load_core_percent": 94.0, "clients_cpu_percent": 50.0}]) == (
            "the server's core"
        )

    def test_idle_machine_waits_for_the_rate(self) -> None:
        quiet = {"server_cpu_percent": 5.0, "load_core_percent": 9.0, "clients_cpu_percent": 2.0, "late_ms": 0.1}
        assert bound([quiet]) == "the rate"
        assert "| rate-10 | awxfast | 5 | 9 | 2 | the rate |" in bounds_table({"rate-10": {"awxfast": [quiet]}})

    def test_servers_that_share_two_cores_with_the_load_are_not_judged_by_one(self) -> None:
        runs = [{"server_cpu_percent": 128.0, "load_core_percent": 28.0, "clients_cpu_percent": 19.0}]
        assert "workers-events" not in bounds_table({"hosted-workers-events": {"two-workers": runs}})

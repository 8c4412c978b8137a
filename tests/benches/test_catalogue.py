"""The benchmark's workloads."""

from papers.aims import ECHOES
from workloads.catalogue import BOTH, HOSTED, WORKLOADS, thousand_groups
from workloads.kinds import Echoes, Storm, Stream


class TestWorkloads:
    def test_names_are_unique(self) -> None:
        names = [workload.name for workload in WORKLOADS]
        assert len(set(names)) == len(names)

    def test_short_runs_have_no_server_that_long_ones_lack(self) -> None:
        assert all({*(workload.quick or ())} <= {*workload.servers} for workload in WORKLOADS)

    def test_messages_that_goals_ask_for_are_measured(self) -> None:
        measured = {workload.name: workload for workload in WORKLOADS if isinstance(workload, Echoes)}
        assert {name for names in ECHOES.values() for name in names} == set(measured)
        assert {(echoes.size, echoes.under_way > 1) for echoes in measured.values()} == {
            (64, False),
            (64, True),
            (4096, False),
            (4096, True),
        }

    def test_handshakes_of_applications_are_measured_where_their_servers_are_compared(self) -> None:
        storms = {storm.name: storm for storm in HOSTED if isinstance(storm, Storm) and not storm.has_two_cores}
        assert set(storms) == {"hosted-storm-bare", "hosted-storm-channels"}
        assert all({"daphne", "hosted"} <= {*storm.servers} and not storm.subscribes for storm in storms.values())
        assert len({storm.application for storm in storms.values()}) == 2


class TestFrames:
    def test_every_client_of_one_group_gets_every_event(self) -> None:
        assert Stream(name="one", title="", servers=BOTH, clients=100).frames_of(7) == 700

    def test_groups_take_turns(self) -> None:
        """One client in the first group, two in the second, three in the third, and so on."""
        groups = thousand_groups()
        many = Stream(name="many", title="", servers=BOTH, clients=len(groups), groups=groups)
        assert len(groups) == 1999
        assert [many.frames_of(events) for events in (1, 2, 3, 1000, 1001)] == [1, 3, 6, 1999, 2000]

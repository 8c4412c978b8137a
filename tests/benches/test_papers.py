"""Figures into papers, and rows into plots."""

import copy
from pathlib import Path
from xml.etree import ElementTree

import pytest
import write_papers as papers
from papers.drawing import decades, linear_scale, log_scale, multiples

SVG = "{http://www.w3.org/2000/svg}"
REPORT = {
    "about": {"date": "2026-11-25 03:07 UTC", "machine": "2 x AMD", "python": "3.11.7"},
    "titles": {"rate-10": "Latency", "flat-out-100": "Flat out"},
    "results": {
        "rate-10": {
            "daphne": [{"p50_ms": 40.0, "p99_ms": 100.0}, {"p50_ms": 42.0, "p99_ms": 150.0}],
            "awxfast": [{"p50_ms": 2.0, "p99_ms": 5.0}, {"p50_ms": 2.1, "p99_ms": 4.0}],
        },
        "flat-out-100": {"daphne": [{"frames_per_cpu_s": 3000.0}], "awxfast": [{"frames_per_cpu_s": 2e6}]},
    },
    "absent": {"flat-out-100": {"nchan": "not installed"}},
}


class TestBlocks:
    def test_block_is_replaced_and_the_rest_stays(self) -> None:
        page = "a\n<!-- bench:goals -->\nold\n<!-- /bench:goals -->\nb\n"
        assert papers.fill(page, {"goals": "new"}) == page.replace("old", "new")

    def test_filling_twice_changes_nothing(self) -> None:
        page = "<!-- bench:rate-10 -->\n<!-- /bench:rate-10 -->\n"
        once = papers.fill(page, papers.blocks(REPORT))
        assert "| p50 ms | 40 / 41 / 42 | 2 / 2.05 / 2.1 | 20 |" in once
        assert papers.fill(once, papers.blocks(REPORT)) == once

    def test_block_without_figures_stays(self) -> None:
        page = "<!-- bench:summary-hosting -->\nold\n<!-- /bench:summary-hosting -->\n"
        assert papers.fill(page, papers.blocks(REPORT)) == page

    def test_block_that_is_not_closed_is_an_error(self) -> None:
        with pytest.raises(ValueError, match="not closed"):
            papers.fill("<!-- bench:goals -->\n", {})

    def test_absent_peer_is_named_with_its_table(self) -> None:
        assert "nchan: not installed" in papers.blocks(REPORT)["flat-out-100"]

    def test_machine_tells_how_often_each_ran(self) -> None:
        assert papers.blocks(REPORT)["machine"] == "2026-11-25 03:07 UTC, 2 x AMD; 1 to 2 runs of each; python 3.11.7."

    @pytest.mark.parametrize("page", papers.PAGES, ids=lambda page: page.name)
    def test_papers_have_only_blocks_that_a_run_fills(self, page: Path) -> None:
        named = {match[2] for match in papers.BLOCK.finditer(page.read_text())}
        hosted = {**REPORT, "results": {"hosted-1": {}}, "titles": {"hosted-1": ""}}
        known = {
            *papers.blocks(REPORT),
            *papers.blocks(hosted),
            *papers.links(dict.fromkeys(papers.PLOTS, "")),
        }
        assert named and named <= known

    def test_short_table_says_what_the_long_one_says(self) -> None:
        """Both are of one run: whoever writes one of them by hand is found out."""
        short, long = (
            {match[2]: match[3] for match in papers.BLOCK.finditer(page.read_text())} for page in papers.PAGES
        )
        rows = short["glance"].splitlines()
        assert len(rows) > 5
        assert [row for row in rows if row not in long["summary"].splitlines()] == []
        assert short["machine"] == long["machine"]


class TestMerge:
    def test_workload_that_was_run_again_is_replaced_and_dated(self) -> None:
        again = {
            "about": {"date": "2026-11-25 09:00 UTC"},
            "titles": {"rate-10": "Latency"},
            "results": {"rate-10": {"daphne": [{"p50_ms": 50.0}], "awxfast": [{"p50_ms": 1.0}]}},
            "absent": {},
        }
        (whole,) = papers.merge([copy.deepcopy(REPORT), again])
        assert whole["about"]["date"] == "2026-11-25 03:07 UTC (rate-10: 2026-11-25 09:00 UTC)"
        assert "| p50 ms | 50 | 1 | 50 |" in papers.blocks(whole)["rate-10"]
        assert "nchan: not installed" in papers.blocks(whole)["flat-out-100"]

    def test_an_applications_figures_stay_apart(self) -> None:
        hosted = {**copy.deepcopy(REPORT), "results": {"hosted-1": {}}, "titles": {"hosted-1": ""}}
        assert len(papers.merge([copy.deepcopy(REPORT), hosted])) == 2


class TestPlots:
    def test_plot_without_figures_is_not_drawn(self) -> None:
        assert set(papers.plots(REPORT)) == {"peers", "latency"}

    def test_peers_have_a_bar_each(self) -> None:
        root = ElementTree.fromstring(papers.plots(REPORT)["peers"])
        assert len(root.findall(f"{SVG}rect")) == 1 + 2
        assert {"daphne", "awxfast", "3,000"} <= {element.text for element in root.iter(f"{SVG}text")}

    def test_latency_has_a_line_each_for_both_quantiles(self) -> None:
        assert len(ElementTree.fromstring(papers.plots(REPORT)["latency"]).findall(f"{SVG}polyline")) == 4

    def test_axis_is_logarithmic(self) -> None:
        scale = log_scale(1, 100, 0, 200)
        assert [scale(value) for value in (0, 1, 10, 100)] == [0, 0, 100, 200]
        assert decades([3.0, 420.0]) == (1.0, 1000.0)

    def test_sums_are_drawn_from_zero(self) -> None:
        assert multiples([3.0, 42.0]) == [0, 10, 20, 30, 40, 50]
        assert linear_scale(0, 50, 100, 200)(25) == 150

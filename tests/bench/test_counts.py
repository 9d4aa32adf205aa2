"""Counts among the figures of a document: how often, of so many times that it could have been."""

from __future__ import annotations

import pytest

from voxterm.bench import report
from voxterm.bench.report import Count, Figure


def test_a_count_names_its_chances_in_the_document_and_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    figures: dict[str, Figure | Count] = {
        "wait_ms": Figure([100.0, 200.0], "ms"),
        "cut_ins": Count(3, 132, "utterances"),
        "nothing_happened": Count(0, 12, "utterances"),
    }
    document = report.document("x", ["bench", "x"], figures)
    assert document["figures"] == {
        "wait_ms": {"p50": 150.0, "p95": 195.0, "n": 2, "unit": "ms"},
        "cut_ins": {"count": 3, "n": 132, "unit": "utterances"},
        "nothing_happened": {"count": 0, "n": 12, "unit": "utterances"},
    }
    report.print_table(document)
    rows = [line.replace("│", " ").split() for line in capsys.readouterr().out.splitlines()]
    assert ["cut_ins", "3", "132", "utterances"] in rows
    assert ["nothing_happened", "0", "12", "utterances"] in rows
    assert ["wait_ms", "150.0", "195.0", "2", "ms"] in rows


def test_what_had_no_chance_to_happen_is_no_figure() -> None:
    """Nought of nought would look like a success."""
    assert report.told({"barge_ins": Count(0, 0, "replies"), "wait_ms": Figure([], "ms")}) == {}

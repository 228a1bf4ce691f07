"""Where a chart's points lie."""

from __future__ import annotations

from itertools import pairwise

import pytest

from ganlab.comparison.charts import LEFT, RIGHT, WIDTH, draw_located


def test_a_logarithmic_axis_has_equal_ways_for_equal_ratios() -> None:
    runs = [[(0.3 * 4.0**power, value, power) for power in range(4)] for value in (1.0, 3.0)]
    chart = draw_located([runs], "minutes", {2.5}, counted="images", logarithmic_across=True)
    (line,) = chart.lines
    places = [dot.x for dot in line.dots]
    ways = [after - before for before, after in pairwise(places)]
    assert ways == pytest.approx([ways[0]] * 3, abs=0.11)
    assert places[0] > LEFT and places[-1] < WIDTH - RIGHT
    assert [tick.text for tick in chart.across] == ["0.5", "1", "2", "5", "10", "20"]
    # Two of the ticks are as far apart as two points of the same ratio.
    by_text = {tick.text: tick.place for tick in chart.across}
    assert by_text["2"] - by_text["0.5"] == pytest.approx(ways[0], abs=0.11)
    assert line.dots[0].text == "images 0: 2"
    assert len(line.seeds) == 2 and chart.floor is not None and chart.floor < line.dots[0].y

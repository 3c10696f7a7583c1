"""The report's page: its text, and that a browser shows all of it at every width."""

import functools
import html.parser
import json
import re

import pytest

from components.report import document, drawing, graph, page
from ncf_model.evaluation import served_result
from ncf_model.training import training_history
from tests.components.report import chromium, examples

PHONE, TABLET, DESKTOP = 390, 768, 1280


class _Figures(html.parser.HTMLParser):
    """Collects the value of each `<data>` by its title."""

    def __init__(self):
        super().__init__()
        self.found = {}

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "data":
            self.found[given["title"]] = float(given["value"])


@functools.cache
def _page():
    """Returns the page of the whole example; drawing it takes a second."""
    return page.render(examples.result())


def _figures(text):
    parser = _Figures()
    parser.feed(text)
    return parser.found


def test_users_who_were_held_out_whole():
    assert "held out whole" not in _page()
    found = document.HeldOutUsers(
        lists=12,
        metrics={"hit_rate@10": 0.25, "ndcg@10": 0.125},
        errors={"hit_rate@10": 0.05, "ndcg@10": 0.02},
        baselines={"ease": {"hit_rate@10": 0.2, "ndcg@10": 0.1}},
    )
    text = page.render(examples.result().model_copy(update={"held_out_users": found}))
    figures = _figures(text)
    assert figures["held out the model"] == 0.25
    assert figures["held out ndcg EASE"] == 0.1
    assert "12 users of whom nothing was trained on" in text


def test_figures_are_those_of_the_summary():
    figures = _figures(_page())
    written = json.loads(examples.result().to_json())
    assert figures["the model hit_rate@10"] == written["metrics"]["hit_rate@10"]
    assert figures["popularity ndcg@10"] == written["baseline"]["ndcg@10"]
    assert figures["item-kNN hit_rate@5"] == 0.5
    assert figures["last blessed model hit_rate@10"] == 0.4375
    assert figures["item_popularity=tail popularity"] == 0.0
    assert figures["lead over popularity"] == 0.25


def test_drawings_of_an_earlier_page_are_taken_over(monkeypatch):
    whole = examples.result()
    without_run = whole.model_copy(update={"run": document.Run()})
    earlier = page.render(without_run)
    drawn = []
    svg = drawing.svg
    monkeypatch.setattr(drawing, "svg", lambda d: drawn.append(d.title) or svg(d))
    assert page.render(whole, earlier=earlier) == _page()
    assert drawn == ["Seconds per node", "Which node reads what of which"]


def test_says_what_was_ranked_which_is_best_and_why_a_figure_is_missing():
    text = _page()
    assert "<h2>Ranking quality of 100 candidates</h2>" in text
    assert "item-kNN is best on these lists: its HR@10 is 0.0625 above" in text
    assert "EASE was left out: it would take about 9 MB" in text
    assert "item-kNN with neighbours 20, the best of 2 settings tried" in text
    assert "not a number" in text


def test_shows_the_parts_of_a_run():
    text = _page()
    for part in (
        "<code>ncf run --dataset tiny</code>",
        "2024-06-01 00:00:00 UTC",
        "/serving/7",
        "refused: no time",
        "rows merged",
        "User u&lt;1&gt;",
        "A &amp; B",
        "ranked 4 of 5",
        "badly served",
        "1,500 MB",
        "<td>train.epochs</td>",
        "The input has no times",
    ):
        assert part in text, part
    assert "tiny &lt;b&gt;" in text
    assert "<b>" not in text
    assert '{"' not in text  # No raw JSON.


WARM = {
    "from": "/serving/7",
    "validation_lists": 9,
    **{
        f"{what}_{of}": number
        for number, (what, of) in enumerate(
            (what, of) for what in ("known", "new", "gone") for of in ("users", "items")
        )
    },
}


def _with_warm_start(told, **history):
    result = examples.result()
    start = training_history.WarmStart(**told)
    history = result.history.model_copy(update={"warm_start": start, **history})
    return page.render(result.model_copy(update={"history": history}))


def test_says_whether_it_was_a_warm_start():
    assert "arm start" not in _page()
    text = _with_warm_start(WARM)
    assert (
        "<strong>Warm start</strong> with the tables of <code>/serving/7</code>" in text
    )
    cold = _with_warm_start({"cold_because": "there is none"})
    assert "<strong>No warm start</strong>: there is none." in cold


def test_shows_how_the_served_model_did_on_what_came_since():
    assert "what came since" not in _page()
    row = {"lists": 4, "metrics": {"hit_rate@10": 0.75}, "errors": {"hit_rate@10": 0.1}}
    day = {"from": "2024-06-01", "days": 1, "baseline": {"hit_rate@10": 0.5}}
    told = {
        **row,
        "model": "/serving/6",
        "baseline": {"hit_rate@10": 0.25},
        "groups": {"new user": row | {"metrics": {"hit_rate@10": 0.125}}},
        "by_time": [row | day, row | day | {"from": "2024-06-08", "days": 7}],
    }
    served = served_result.Served.model_validate(told)
    text = page.render(examples.result().model_copy(update={"served": served}))
    figures = _figures(text)
    assert (figures["served all"], figures["served popularity all"]) == (0.75, 0.25)
    assert figures["served new user"] == 0.125
    assert figures["served popularity 2024-06-01"] == 0.5
    assert "<td>7 days from 2024-06-08</td>" in text
    none = served_result.Served(why_not="There is <none>.")
    text = page.render(examples.result().model_copy(update={"served": none}))
    assert "There is &lt;none&gt;." in text


def test_shows_a_cold_training_beside_the_warm_one():
    history = examples.result().history
    epochs = [
        history.epochs[0].model_copy(update={"epoch": n, "hit_rate": rate})
        for n, rate in ((1, 0.0625), (2, 0.1875), (3, 0.125))
    ]
    cold = training_history.Cold(epochs=epochs, best_epoch=2, seconds=40.0)
    text = _with_warm_start(WARM | {"seconds": 8.0}, cold=cold)
    table = text.partition('<table id="cold">')[2].partition("</table>")[0]
    cells = re.findall(r"<td>(.*?)</td>", " ".join(table.split()))
    assert [re.sub("<.*?>", "", cell) for cell in cells] == [
        *("warm start", "2", "0.2500", "0.1250", "8.0"),
        *("cold start", "3", "0.1875", "0.1250", "40.0"),
    ]
    assert "HR@10 of a cold start" in text
    assert "cold start" not in _with_warm_start(WARM)


def test_code_in_a_sentence_is_shown_as_code_and_stays_text():
    failure = {"metric": "m", "rule": "r", "value": 0.00001, "message": "`a<b` <c> `d`"}
    evaluation = examples.EVALUATION | {"failures": [failure]}
    text = page.render(examples.result(blessing={"blessed": 0}, evaluation=evaluation))
    assert "<li><code>a&lt;b</code> &lt;c&gt; <code>d</code></li>" in text
    assert ">&lt; 0.0001</data>" in text


def test_counts_are_in_the_order_of_the_datas_way():
    text = _page()
    places = [
        text.index(f"<td>{part}")
        for part in ("rows read", "rows refused", "refused: no time", "rows merged")
    ]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("chosen_by", "figures", "said"),
    [
        (None, {}, "for the best HR@10 of each user&#39;s validation item among its"),
        ("ndcg@10", {"catalogue_ndcg@10": 0.1}, "for the best NDCG@10 of each user"),
        (
            "catalogue_ndcg@10",
            {"catalogue_ndcg@10": 0.1},
            "for the best NDCG@10 in the whole catalogue",
        ),
    ],
)
def test_says_by_what_the_epoch_was_chosen(chosen_by, figures, said):
    epochs = [epoch | figures for epoch in examples.HISTORY["epochs"]]
    history = examples.HISTORY | {"epochs": epochs, "chosen_by": chosen_by}
    text = page.render(examples.result(history=history))
    assert said in text
    assert ("NDCG@10 in the catalogue per epoch" in text) == bool(figures)


def test_without_validation_items_no_epoch_is_said_to_be_best():
    none = {"hit_rate@10": None, "ndcg@10": None}
    epochs = [epoch | none for epoch in examples.HISTORY["epochs"]]
    history = examples.HISTORY | {"epochs": epochs, "chosen_by": "ndcg@10"}
    text = page.render(examples.result(history=history))
    assert "the last one, because there are no validation items" in text
    assert "for the best" not in text


def test_one_is_no_plural():
    spread = document.Histogram(edges=[1, 2], counts=[1], median=1.0, largest=1)
    one = examples.result().model_copy(
        update={
            "num_users": 1,
            "users": [examples.USER.model_copy(update={"interactions": 1})],
            "distribution": document.Distribution(per_user=spread, per_item=spread),
        }
    )
    text = " ".join(page.render(one).split())
    assert "1 user, 4 items, 9 interactions" in text
    assert "Half of the users have 1 interaction or fewer" in text
    assert "1 interaction</span>" in text


def test_scores_that_all_look_alike_are_left_out():
    items = [document.ShownItem(item_id=name, score=1.0) for name in "cd"]
    user = examples.USER.model_copy(update={"recommendations": items})
    assert "1.000" not in page.render(examples.result(users=[user]))
    items[0] = document.ShownItem(item_id="c", score=0.75)
    assert "0.750" in page.render(examples.result(users=[user]))


def test_draws_spans_and_drift():
    noted = {
        "spans": {
            "read": 3,
            "first": "1",
            "last": "4",
            "missing": ["2"],
            "empty": [],
            "delivered_twice": [],
        },
        "drift": {
            "span": "4",
            "against": 2,
            "figures": {"events": 1.5, "popularity": 0.25},
            "limits": {"events": 3},
        },
    }
    data = {name: json.dumps(value) for name, value in noted.items()}
    text = page.render(examples.result().model_copy(update={"data": data}))
    assert "3, from 1 to 4" in text
    assert "<td>missing</td>" in text
    assert _figures(text)["drift popularity"] == 0.25
    assert '<meter min="0" max="3" value="1.5">50%</meter>' in text


def test_loads_nothing():
    text = _page()
    for part in ("<script", "<link", "<img", "@import", "url(http"):
        assert part not in text
    assert text.count("http") == text.count("http://www.w3.org/")


@pytest.mark.parametrize("blessed", [0, 1])
def test_gives_the_verdict(blessed):
    failure = {"metric": "hit_rate@10", "rule": "at least 1", "value": 0.5}
    text = page.render(
        examples.result(
            blessing={"blessed": blessed},
            evaluation=examples.EVALUATION
            | {"failures": [] if blessed else [failure | {"message": "below it"}]},
        )
    )
    assert ("<strong>Blessed</strong>" in text) == bool(blessed)
    assert ("<li>below it</li>" in text) == (not blessed)


@pytest.mark.parametrize("blessed", [0, 1])
def test_names_what_was_not_compared(blessed):
    told = "The model in service, version 7, is not compared: <none>"
    made = examples.result(blessing={"blessed": blessed, "not_compared": told})
    assert made.not_compared == [told]
    assert "version 7, is not compared: &lt;none&gt;" in page.render(made)


def test_a_run_without_any_list_still_has_a_page():
    result = examples.result(
        evaluation={"metrics": {}}, users=[], lists={}, blessing={"blessed": 0}
    )
    text = page.render(result.model_copy(update={"config": {}, "history": None}))
    assert "nothing was held out" in text


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """Returns a function that opens the page in Chromium."""
    if not chromium.find():
        pytest.skip("needs Chromium: `apt-get install chromium`")
    folder = tmp_path_factory.mktemp("page")
    file = folder / "index.html"
    file.write_text(_page(), encoding="utf-8")
    with chromium.page(folder) as browser:

        def open_(width, **how):
            browser.open(file, width=width, **how)
            return browser

        yield open_


# A script that lists elements that stick out of the window to the right.
OUTSIDE = """[...document.querySelectorAll('body *')]
  .filter(e => !e.closest('svg') && !e.closest('details:not([open]) > :not(summary)'))
  .filter(e => e.getBoundingClientRect().right > innerWidth + 1)
  .map(e => e.outerHTML.slice(0, 80))"""
BROKEN = """[...document.querySelectorAll('data')]
  .filter(e => e.getClientRects().length > 1).map(e => e.textContent)"""
FIGURES = "[...document.querySelectorAll('data')].map(e => [e.title, e.textContent])"


@pytest.mark.parametrize("width", [PHONE, TABLET, DESKTOP])
def test_a_browser_shows_every_figure_whole(shown, width):
    browser = shown(width)
    browser.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert browser.evaluate(OUTSIDE) == []
    assert browser.evaluate(BROKEN) == []
    figures = dict(browser.evaluate(FIGURES))
    metrics = examples.EVALUATION["metrics"]
    assert {name: figures[f"the model {name}"] for name in metrics} == {
        name: f"{value:.4f}" for name, value in metrics.items()
    }


@pytest.mark.parametrize(
    ("how", "dark"),
    [
        ({"dark": False}, False),
        ({"dark": True}, True),
        ({"dark": True, "media": "print"}, False),
    ],
)
def test_text_and_drawings_stand_out_from_the_page(shown, how, dark):
    browser = shown(DESKTOP, **how)
    colours = browser.evaluate(
        "[getComputedStyle(document.body).backgroundColor,"
        " getComputedStyle(document.body).color,"
        " getComputedStyle(document.querySelector('svg text')).fill]"
    )
    page_, text, drawn = (
        sum(map(int, colour[4:-1].split(",")[:3])) for colour in colours
    )
    assert (page_ < 150) == dark
    assert abs(page_ - text) > 400
    assert abs(page_ - drawn) > 400


def test_paper_shows_what_a_click_would(shown):
    for media, visible in (("screen", False), ("print", True)):
        browser = shown(DESKTOP, dark=True, media=media)
        found = browser.evaluate(
            "document.querySelector('details table').checkVisibility()"
        )
        assert found == visible
    ink = browser.evaluate("getComputedStyle(document.querySelector('summary')).color")
    assert sum(map(int, ink[4:-1].split(","))) < 400


def test_types_of_artifacts_are_told_apart_in_the_graph():
    looks = [tuple(graph._look(kind).values()) for kind in range(14)]
    assert len(set(looks)) == 14
    assert {line for _, line in looks[:7]} == {"-"}

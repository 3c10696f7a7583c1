"""The page at `/`, used in headless Chromium as a person would."""

import shutil
import threading

import browser
import pytest
import uvicorn

from pipeline.serving import app, server
from pipeline.serving.settings import ServeSettings

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
TITLES = "[...document.querySelectorAll('#list .name')].map(n => n.textContent)"
HEADING = "document.getElementById('list-title').textContent"


@pytest.fixture
def url(shared_out):
    """Returns the address of a server in a thread of this process."""
    settings = ServeSettings(
        serving=str(shared_out / "serving"), titles=shared_out / "titles.csv", port=0
    )
    service = server.make_service(settings)
    service.store.refresh()
    config = uvicorn.Config(app.create_app(service), port=0, log_level="warning")
    running = uvicorn.Server(config)
    with config.bind_socket() as socket:
        socket.listen()
        thread = threading.Thread(target=running.run, kwargs={"sockets": [socket]})
        thread.start()
        yield f"http://127.0.0.1:{socket.getsockname()[1]}/"
        running.should_exit = True
        thread.join()


@pytest.fixture
def page(url, tmp_path):
    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with browser.open_page(CHROMIUM, url, tmp_path / "profile") as opened:
        yield opened
        assert opened.errors() == []


def test_a_user_a_similar_item_and_a_basket(page):
    # The first user is shown at once, with history and titles.
    page.wait(f"{HEADING} === 'For user ann'")
    assert page.run(TITLES) == [
        "Alien (1979)",
        "Brazil (1985)",
        "Aliens (1986)",
        "i3",
        "i4",
    ]
    assert "WHAT THEY HAVE (2)" in page.text().upper()
    # Scores as bars: the second is half as long as the first.
    widths = page.run(
        "[...document.querySelectorAll('#list svg rect:last-child')]"
        ".map(r => r.getBoundingClientRect().width)"
    )
    assert widths[1] == pytest.approx(widths[0] / 2, abs=1)

    page.run("document.querySelectorAll('#list button')[1].click()")
    page.wait(f"{HEADING} === 'Items like Brazil (1985)'")
    assert page.run(TITLES)[0] == "Aliens (1986)"

    # A user by typing, from the keyboard alone.
    page.run("at('text').value = ''; at('text').focus()")
    page.type("bo")
    page.wait("document.querySelectorAll('#found button').length === 1")
    page.press("ArrowDown")
    page.press("Enter")
    page.wait(f"{HEADING} === 'For user bob'")

    # A basket by titles; an item can be taken out again.
    page.run("at('tab-items').click(); at('text').focus()")
    page.type("alien 1979")
    page.wait("document.querySelectorAll('#found button').length === 1")
    page.press("Enter")
    page.wait(f"{HEADING} === 'For this basket'")
    assert page.run(TITLES)[0] == "Brazil (1985)"
    assert page.run("at('basket').innerText").startswith("Alien (1979) ")
    page.run("at('basket').querySelector('button').click()")
    assert page.run("at('basket').innerText") == ""

    # A user whom the model does not know.
    page.run("at('tab-user').click(); at('text').value = 'nobody'; at('go').click()")
    page.wait(f"{HEADING} === 'For user nobody'")
    assert "does not know this user" in page.text()


@pytest.mark.parametrize(("width", "dark"), [(390, True), (1280, False)])
def test_fits_a_phone_and_a_desk(page, width, dark):
    page.size(width, 800, dark=dark)
    page.wait(f"{HEADING} === 'For user ann'")
    assert page.run("document.documentElement.scrollWidth") == width
    small = page.run(
        "[...document.querySelectorAll('button')].filter(b => b.offsetParent"
        " && b.getBoundingClientRect().height < 36).length"
    )
    assert small == 0
    background = page.run("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, background[4:-1].split(","))) < 200) == dark


def test_a_title_is_text_and_not_a_part_of_the_page(page):
    page.wait(f"{HEADING} === 'For user ann'")
    evil = "<img src=x onerror=alert(1)>"
    page.run(
        "showList('x', {version: 1, items: "
        f"[{{item_id: 'a', title: '{evil}', score: 1}}]}})"
    )
    assert page.run(TITLES) == [evil]
    assert page.run("document.images.length") == 0

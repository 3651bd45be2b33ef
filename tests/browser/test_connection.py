"""The socket that stays, over sockets that do as the test says and with a clock of the test's."""

import pytest
from playwright.sync_api import Page

SETUP = """async () => {
    const { Connection } = await import("/connection.js");
    window.sockets = [];
    window.log = [];
    window.WebSocket = class {
        static OPEN = 1;
        readyState = 1;
        sent = [];
        constructor() { sockets.push(this); }
        send(text) { this.sent.push(JSON.parse(text)); }
        close() {}
    };
    window.line = new Connection({
        hello: () => ({ token: "t", rev: 3 }),
        position: () => ({ rev: 3, conversation: "c" }),
        frame: () => {},
        line: (up) => log.push(up),
        refused: (code) => log.push(code),
    });
    line.start("wss://widget.test/socket", 20);
}"""


class Line:
    """A connection, its server and its clock."""

    def __init__(self, page: Page) -> None:
        self.page = page
        page.route("**/extras.js", lambda route: route.abort())  # it stays with WebSockets
        page.clock.install(time=0)
        page.clock.pause_at(1000)  # only the test lets it pass
        page.evaluate(SETUP)

    def opens(self) -> "Line":
        self.page.evaluate("sockets.at(-1).onopen()")
        return self

    def answers(self) -> "Line":
        self.page.evaluate("""sockets.at(-1).onmessage({ data: '{"type":"status"}' })""")
        return self

    def closes(self, code: int, reason: str = "") -> "Line":
        self.page.evaluate("args => sockets.at(-1).onclose(args)", {"code": code, "reason": reason})
        return self

    def later(self, seconds: float) -> "Line":
        self.page.clock.run_for(int(seconds * 1000))
        return self

    def waits(self) -> int:
        """Seconds until the next socket is made."""
        before, seconds = self.sockets, 0
        while self.sockets == before:
            self.later(1)
            seconds += 1
            assert seconds < 60, "it does not come back"
        return seconds

    def happens(self, event: str) -> "Line":
        self.page.evaluate("name => dispatchEvent(new Event(name))", event)
        return self

    @property
    def sockets(self) -> int:
        return int(self.page.evaluate("sockets.length"))

    @property
    def log(self) -> list[object]:
        return list(self.page.evaluate("log"))

    @property
    def sent(self) -> list[dict[str, object]]:
        return list(self.page.evaluate("sockets.at(-1).sent"))


@pytest.fixture
def line(page: Page) -> Line:
    return Line(page)


def test_it_says_hello_first(line: Line) -> None:
    assert line.opens().sent == [{"type": "connect", "v": 1, "token": "t", "rev": 3}]


def test_nothing_else_goes_out_before_the_answer(line: Line) -> None:
    line.opens()
    assert line.page.evaluate("line.send({ type: 'message' })") is False


def test_it_is_up_after_the_first_status(line: Line) -> None:
    assert line.opens().answers().log == [True]


def test_it_asks_every_heartbeat(line: Line) -> None:
    line.opens().answers().later(20).answers().later(20)
    assert line.sent[1:] == 2 * [{"type": "status", "rev": 3, "conversation": "c"}]


def test_ten_seconds_without_an_answer_are_the_end(line: Line) -> None:
    line.opens().answers().later(20)
    assert (line.later(9.9).sockets, line.later(0.7).sockets) == (1, 2)


def test_a_socket_that_never_opens_is_given_up(line: Line) -> None:
    assert line.later(10.6).sockets == 2


def test_it_comes_back_within_half_a_second(line: Line) -> None:
    assert line.opens().answers().closes(1006).later(0.5).sockets == 2


def test_the_wait_grows_and_never_passes_half_a_minute(line: Line) -> None:
    line.page.evaluate("Math.random = () => 0.99")
    waits = [line.closes(1006).waits() for _ in range(10)]
    assert waits == sorted(waits)
    assert waits[-1] == 30


def test_a_restart_is_spread_over_five_seconds(line: Line) -> None:
    line.page.evaluate("Math.random = () => 0.9")
    line.opens().answers().closes(1012)
    assert (line.later(4.4).sockets, line.later(0.2).sockets) == (1, 2)


@pytest.mark.parametrize("code", [4401, 4403, 4409])
def test_a_refusal_is_told_and_not_argued_with(line: Line, code: int) -> None:
    line.opens().closes(code).later(60).happens("online")
    assert (line.sockets, line.log) == (1, [code])


def test_too_many_waits_as_long_as_it_is_told(line: Line) -> None:
    line.opens().closes(4429, "retry_after=30").later(29).happens("online")
    assert (line.sockets, line.later(2).sockets) == (1, 2)


def test_a_protocol_error_is_in_no_hurry(line: Line) -> None:
    line.page.evaluate("Math.random = () => 0.9")
    line.opens().closes(4400)
    assert (line.later(20).sockets, line.later(10).sockets) == (1, 2)


@pytest.mark.parametrize("event", ["online", "pageshow"])
def test_a_device_that_is_back_does_not_wait(line: Line, event: str) -> None:
    line.page.evaluate("Math.random = () => 0.9")
    for _ in range(4):
        line.closes(1006).waits()
    assert line.closes(1006).happens(event).sockets == 6


def test_a_line_that_looks_alive_has_to_prove_it(line: Line) -> None:
    line.opens().answers().happens("online")
    assert line.sent[-1]["type"] == "status"


def test_a_page_put_away_lets_go_and_comes_back(line: Line) -> None:
    line.opens().answers().happens("pagehide").later(60)
    assert (line.sockets, line.happens("pageshow").sockets) == (1, 2)

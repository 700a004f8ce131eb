"""The load of the benchmark: it waits for nobody, and counts from when a request was due."""

import itertools
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from recsys.benchmark.service.load import Call, Gun, figures


class Shop(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/slow":
            time.sleep(0.3)
        if self.path == "/rude":
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self._answer(
            404 if self.path == "/nowhere" else 200, b'{"path": "%s"}' % self.path.encode()
        )

    def do_POST(self):
        self._answer(202, self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if self.path == "/last":
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def gun():
    with ThreadingHTTPServer(("127.0.0.1", 0), Shop) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Gun(server.server_address[1])
        server.shutdown()


def test_an_answer_is_told_with_its_status(gun):
    assert gun.ask(Call("GET", "/here")).told == {"path": "/here"}
    assert gun.ask(Call("GET", "/nowhere")).status == 404
    posted = gun.ask(Call("POST", "/v1/events", {"item": "søap"}))
    assert (posted.status, posted.told) == (202, {"item": "søap"})


def test_who_hangs_up_has_given_no_answer(gun):
    shot = gun.ask(Call("GET", "/rude"))
    assert (shot.status, shot.told) == (0, {})


def test_a_connection_that_was_closed_after_its_answer_is_not_asked_again(gun):
    shots = gun.fire(lambda: Call("GET", "/last"), rate=300, seconds=1)
    assert len(shots) > 200  # so that the connections of the beginning have had their turns
    assert {shot.status for shot in shots} == {200}


def test_where_nobody_listens_there_is_no_answer():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert Gun(port).ask(Call("GET", "/")).status == 0


def test_a_slow_answer_holds_nothing_up(gun):
    paths = itertools.chain(["/slow"], itertools.repeat("/quick"))
    shots = gun.fire(lambda: Call("GET", next(paths)), rate=100, seconds=0.6)
    slow, *quick = shots
    assert slow.ms > 300
    assert len(quick) > 30
    assert sorted(shot.ms for shot in quick)[len(quick) // 2] < 100
    assert {shot.told["path"] for shot in quick} == {"/quick"}


def test_a_request_is_sent_when_it_is_due_and_never_before(gun):
    shots = gun.fire(lambda: Call("GET", "/quick"), rate=100, seconds=0.5)
    assert len(shots) > 25
    assert all(0 <= shot.late < shot.ms for shot in shots)


def test_where_all_answers_are_slow_requests_still_start_when_they_are_due(gun):
    shots = gun.fire(lambda: Call("GET", "/slow"), rate=50, seconds=0.5)
    assert len(shots) > 10
    assert all(300 <= shot.ms < 1_000 for shot in shots)  # one after another would take seconds
    told = figures(shots, 0.5)
    assert told["p50_ms"] <= told["p99_ms"]
    assert told["errors"] == 0

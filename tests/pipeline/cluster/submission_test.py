import pytest

from pipeline.cluster import submission
from pipeline.cluster.submission import RunState

RUN = submission.Submission("r1", "http://host/r1", {})


class _Service:
    """Answers questions for the state; a text is an error. Each takes 10 s."""

    def __init__(self, monkeypatch, answers):
        self.answers, self.seconds = list(answers), 0.0
        monkeypatch.setattr(submission.time, "monotonic", lambda: self.seconds)
        monkeypatch.setattr(submission.time, "sleep", self._sleep)

    def _sleep(self, seconds):
        self.seconds += seconds

    def ask(self):
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(found, str):
            raise ValueError(found)
        return found

    def wait(self, timeout_s):
        submission.wait(RUN, self.ask, timeout_s=timeout_s, poll_s=10)


def test_a_service_that_is_away_for_a_while_is_asked_again(monkeypatch):
    running, gone = RunState("running"), ["HTTP 503"] * 50
    answers = [running, *gone, running, *gone, RunState("done", succeeded=True)]
    service = _Service(monkeypatch, answers)
    service.wait(timeout_s=86_400)
    assert service.seconds == 1_020


def test_a_failure_is_told_after_a_silence(monkeypatch):
    service = _Service(monkeypatch, ["HTTP 502", RunState("failed", failure="It is.")])
    with pytest.raises(submission.RemoteRunFailed, match="See http://host/r1"):
        service.wait(timeout_s=60)


@pytest.mark.parametrize(("timeout_s", "ended"), [(86_400, 610), (30, 40)])
def test_a_service_that_stays_away_is_not_asked_for_ever(monkeypatch, timeout_s, ended):
    service = _Service(monkeypatch, [RunState("running"), "HTTP 401."])
    wanted = r"HTTP 401\. The run goes on\. See http://host/r1"
    with pytest.raises(ValueError, match=wanted):
        service.wait(timeout_s=timeout_s)
    assert service.seconds == ended

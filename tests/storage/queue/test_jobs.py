"""docs/job-states.md draws the state machine that the code runs."""

import ast
import re
from pathlib import Path

from storage.queue.jobs import OPEN_STATES, JobState, Transition

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "job-states.md").read_text()


def test_page_draws_every_arrow_of_the_code_and_no_other() -> None:
    """The diagram's arrows are the code's, with the same names, starts and ends."""
    drawn = set(re.findall(r"^ *([A-Z]+) --> ([A-Z]+): (.+)$", PAGE, re.MULTILINE))

    assert drawn == {(transition.source.name, transition.target.name, transition.label) for transition in Transition}


def test_page_explains_every_arrow() -> None:
    """Each arrow has its sentence in the list below the diagram."""
    explained = re.findall(r"^- \*\*(.+?)\*\*", PAGE, re.MULTILINE)

    assert sorted(explained) == sorted(transition.label for transition in Transition)


def test_final_states_are_left_by_no_arrow() -> None:
    """What is not open has no way out, and what is open has one."""
    assert {transition.source for transition in Transition} == set(OPEN_STATES)
    assert {transition.target for transition in Transition} | {JobState.QUEUED} == set(JobState)


def test_state_is_written_in_three_places_only() -> None:
    """Only the insert, the claim and `apply_transition` set a job's state, so that every change is a `Transition`."""
    writers = set()
    for path in (ROOT / "storage").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.keyword) and node.arg == "state" and "Transition" not in ast.dump(node.value):
                writers.add((path.name, ast.unparse(node.value)))

    assert writers == {
        ("transitions.py", "transition.target"),
        ("job_queue.py", "'open'"),
        ("outbox.py", "ReplyState.POSTED"),
        ("outbox.py", "ReplyState.KEPT"),
    }

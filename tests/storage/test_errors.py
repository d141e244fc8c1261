"""What a disk or a server reports becomes one sentence; what an admin cannot mend passes as it is."""

import errno

import pytest
from sqlalchemy.exc import DBAPIError

from storage.database import Database
from storage.errors import StorageError, database_error, disk_error


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOSPC, "The disk that holds /data is full"),
        (errno.EROFS, "/data cannot be written"),
        (errno.EIO, "check the disk that holds it"),
    ],
)
def test_a_disk_error_says_what_to_do(number: int, sentence: str) -> None:
    """By its number, which every system shares."""
    assert sentence in str(disk_error(OSError(number, "reported"), "/data"))


class _Reported(Exception):
    """An error of a PostgreSQL driver."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__("FATAL: secret")
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("sqlstate", "sentence"),
    [
        ("28P01", "refused the password"),
        ("53100", "is full"),
        ("57P03", "does not answer"),
        ("08006", "does not answer"),
    ],
)
def test_a_server_error_says_what_to_do_without_its_own_words(sqlstate: str, sentence: str) -> None:
    """The server's text may name what is secret."""
    with pytest.raises(StorageError, match=sentence) as raised, database_error("db.example.org/limner"):
        raise DBAPIError("SELECT 1", None, _Reported(sqlstate))

    assert "db.example.org/limner" in str(raised.value)
    assert "secret" not in str(raised.value)


def test_an_error_of_ours_passes() -> None:
    """A broken constraint is a bug, which belongs into the log with its traceback."""
    error = DBAPIError("INSERT", None, _Reported("23505"))

    with pytest.raises(DBAPIError) as raised, database_error("db"):
        raise error

    assert raised.value is error


@pytest.mark.parametrize(
    ("number", "passes"),
    [(errno.ENOSPC, True), (errno.ENOENT, True), (errno.EACCES, False), (errno.EROFS, False), (errno.ENOTDIR, False)],
)
def test_what_may_pass_by_itself_is_told_apart(number: int, passes: bool) -> None:
    """A disk that is full or not mounted yet may; rights and a wrong path may not."""
    assert disk_error(OSError(number, "odd"), "the data folder").passes is passes


async def test_a_server_that_does_not_run_yet_may_pass(unused_tcp_port: int) -> None:
    """As when a machine starts; a kind of database that there is not may not."""
    with pytest.raises(StorageError) as absent:
        await Database.open(f"postgresql://limner@127.0.0.1:{unused_tcp_port}/limner")
    with pytest.raises(StorageError) as unknown:
        await Database.open("oracle://host/name")

    assert absent.value.passes
    assert not unknown.value.passes

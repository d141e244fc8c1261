"""The errors that a person can mend; every other exception is ours and is logged with its traceback."""


class UserError(Exception):
    """One clear sentence that says what happened and what to do; shown to the person as it is."""


class InvalidRequest(UserError):
    """A request breaks a limit; `field` names the part that does, the text names the limit."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field

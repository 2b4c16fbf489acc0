"""The faults a user can meet, each with a message that says what failed, why, and what to do."""


class ConfigurationError(Exception):
    """A variable or argument is missing or wrong. The message names it. Exit status 2."""


class ReadingError(Exception):
    """A vendor's answer could not be had or not be trusted; nothing of the window counts as read.

    The message says why and what to do; the caller knows vendor, endpoint and scope. It holds no secret, no personal
    datum and nothing of a response's body.
    """


class SignInError(ReadingError):
    """The vendor refused the credentials. Repeating the request would not help."""


class AnotherRunError(Exception):
    """Another process holds what this run needs and did not let go of it in time."""


class AlertError(Exception):
    """An alert did not arrive. The message names the host and no more of the address; the alert is tried again."""


class BackupError(Exception):
    """A backup cannot be made, or cannot be restored; what was there before is untouched."""

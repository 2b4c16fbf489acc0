"""The faults a user can meet, each with a message that says what failed, why, and what to do."""


class ConfigurationError(Exception):
    """A variable or argument is missing or wrong. The message names it. Exit status 2."""


class ReadingError(Exception):
    """A vendor's answer could not be obtained or not be trusted; no part of the window counts as read.

    The message says why and what to do; the caller knows vendor, endpoint and scope. It holds no secret, no personal
    data and no part of a response's body.
    """


class SignInError(ReadingError):
    """The vendor refused the credentials. Repeating the request would not help."""


class AnotherRunError(Exception):
    """Another process holds a lock that this one needs, and did not release it in time."""


class AlertError(Exception):
    """An alert could not be delivered, and will be tried again. The message names only the host of the address."""


class BackupError(Exception):
    """A backup cannot be made, or cannot be restored; what was there before is untouched."""

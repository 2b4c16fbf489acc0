"""One thing that goes wrong at an exact point of a run."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

Happening = Literal["killed", "cut short and killed", "disk full", "paused"]


@dataclass(frozen=True)
class Flaw:
    """What happens before or after the `nth` call of `function`, written as `module:qualified.name`.

    killed: SIGKILL. cut short and killed: the file that the call wrote, its argument number `path_argument`, keeps only
    its first half. disk full: from here on nothing can be written. paused: the run waits until the test releases it.

    `named`: only calls count whose first argument, or its `name`, contains this. `constants`: constants of the product
    that are made smaller, so that a small world is cut into many pieces.
    """

    function: str
    moment: Literal["before", "after"] = "before"
    nth: int = 1
    named: str | None = None
    happening: Happening = "killed"
    path_argument: int = 1
    constants: Mapping[str, float] = field(default_factory=dict)
    flag: str = ""

    def as_text(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> "Flaw":
        return cls(**json.loads(text))

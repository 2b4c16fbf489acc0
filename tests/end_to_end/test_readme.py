"""The README's query still has the README's answer."""

import re
from pathlib import Path

import pytest

from pipelines import command

README = (Path(__file__).parents[2] / "README.md").read_text()


def test_the_query_on_the_first_screen_has_the_answer_printed_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    query, answer = re.search(r"```sql\n(.*?)\n```\n```\n(.*?)\n```", README, re.DOTALL).groups()  # type: ignore[union-attr]
    as_of = re.search(r"chargehouse run --as-of (\S+)`", README).group(1)  # type: ignore[union-attr]
    monkeypatch.setenv("CHARGEHOUSE_DATA", str(tmp_path))
    assert command.main(["run", "--as-of", as_of]) == command.DONE
    capsys.readouterr()
    assert command.main(["sql", query]) == command.DONE
    assert capsys.readouterr().out.strip() == answer.strip()

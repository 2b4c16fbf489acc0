"""Whether the vendors have begun to say something new."""

from datetime import datetime, timedelta

import polars as pl

from transforms.judgements.judgement import Judgement
from transforms.vocabulary import WORD

NEWS_FOR = timedelta(days=30)
"""How long a new name is reported; by then it is read by a transform, or deliberately left unread."""


def no_new_names(vocabulary: pl.DataFrame, as_of: datetime) -> Judgement:
    """No new field that the transforms do not read, and no new status word that they do not know, appeared recently.

    Names in the first reading of an endpoint are not new. `vocabulary`: Vocabulary rows, with is_claimed as of today.
    """
    first_reading = pl.col("first_seen_at").min().over("vendor", "endpoint")
    dated = vocabulary.with_columns(is_new=pl.col("first_seen_at") > first_reading)
    unclaimed = dated.filter(~pl.col("is_claimed"))
    new = unclaimed.filter("is_new", pl.col("first_seen_at") > as_of - NEWS_FOR)
    listed = new.select("vendor", "endpoint", "kind", "name", "first_seen_at").sort(
        "first_seen_at", "vendor", "endpoint", "kind", "name", descending=[True, False, False, False, False]
    )
    words, new_words = (frame.filter(pl.col("kind") == WORD).height for frame in (unclaimed, new))
    return Judgement(
        new.is_empty(),
        f"{new.height - new_words:,} new field(s) that no transform reads, and {new_words:,} new status word(s) that "
        "none recognises."
        if new.height
        else "The vendors' objects have no new unread fields and no new unknown status words.",
        {
            "new_fields": new.height - new_words,
            "new_words": new_words,
            "unclaimed_fields": unclaimed.height - words,
            "unknown_words": words,
        },
        listed,
    )

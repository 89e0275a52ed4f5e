"""What holds for every event class."""

from inspect import signature
from typing import get_type_hints

from domain.model import AGGREGATES, EVENTS, event_classes


def test_every_event_of_an_aggregate_goes_into_the_same_partition():
    """The log is partitioned by a topic's first word, and a version is unique only within a partition."""
    for aggregate in AGGREGATES:
        assert len({topic.split(".")[0] for topic in event_classes(aggregate)}) == 1, aggregate


def test_a_topic_is_two_words_of_its_own():
    assert len(EVENTS) == sum(len(event_classes(aggregate)) for aggregate in AGGREGATES)
    for topic in EVENTS:
        category, _, fact = topic.partition(".")
        assert category.isidentifier()
        assert fact.isidentifier()


def test_every_aggregate_says_where_it_lies_so_that_scopes_hold():
    for aggregate in AGGREGATES:
        names = (
            set(signature(aggregate.__init__).parameters)
            | set(vars(aggregate))
            | set(get_type_hints(aggregate))
        )
        assert {"township", "site_id"} <= names, aggregate

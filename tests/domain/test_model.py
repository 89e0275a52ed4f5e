"""What holds for every event class."""

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

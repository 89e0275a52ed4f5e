"""The library's own recorder cases, unchanged, on our log. Where they count versions from 0 the bridge adds the one we begin with."""

from uuid import uuid4

import msgspec
import pytest
from bridge import AggregateBridge, ApplicationBridge, library
from eventsourcing.persistence import IntegrityError, StoredEvent, Transcoder

from adapters import codec


class OnOurLog:
    """Gives a library case (a unittest.TestCase) a recorder on a fresh database, and closes it."""

    INITIAL_VERSION = 0
    BRIDGE = ApplicationBridge
    WRITERS = 1

    @pytest.fixture(autouse=True)
    def _fresh_database(self, database_url):
        self.database_url = database_url

    def create_recorder(self):
        recorder = self.BRIDGE(self.database_url, first=self.INITIAL_VERSION, writers=self.WRITERS)
        self.addCleanup(recorder.close)
        self.recorder = recorder
        return recorder


class TestAggregateRecorder(OnOurLog, library.AggregateRecorderTestCase):
    BRIDGE = AggregateBridge


class TestApplicationRecorder(OnOurLog, library.ApplicationRecorderTestCase):
    def test_insert_subscribe(self):
        """Optional in the library: a subscription is woken by our NOTIFY."""
        self.optional_test_insert_subscribe()


class TestApplicationRecorderOfTwoProcesses(TestApplicationRecorder):
    """The same, appended through two connections in turn: the head is never where the other one left it."""

    WRITERS = 2


class TestApplicationRecorderFromVersionOne(OnOurLog, library.ApplicationRecorderTestCase):
    """Without translation. Two of its cases begin at 0 whatever INITIAL_VERSION says, so they are in the classes above only."""

    INITIAL_VERSION = 1
    test_concurrent_no_conflicts = None
    test_concurrent_throughput = None


class TestNonInterleaving(OnOurLog, library.NonInterleavingNotificationIDsBaseCase):
    WRITERS = 2

    def test(self):
        super().test()
        assert len(self.recorder.backends()) == 2


class PlainTranscoder(Transcoder):
    """What our codec does with a field, without the class that says what the field is."""

    def encode(self, obj):
        return codec._encoder.encode(obj)

    def decode(self, data):
        return msgspec.json.decode(data)


class TestTranscoder(library.TranscoderTestCase):
    """Text, objects and lists as the library has them. Its tags for Python's types are what we leave out on purpose:
    an auditor reads plain JSON, and the event class says the types. So the cases about tags do not apply.
    """

    test_dict_subclass = test_list_subclass = test_str_subclass = test_int_subclass = None
    test_tuple = test_mixed = None
    test_custom_type_in_dict = test_nested_custom_type = test_custom_type_error = None

    def construct_transcoder(self):
        return PlainTranscoder()

    def test_what_has_no_plain_form_is_refused(self):
        with pytest.raises(TypeError):
            self.transcoder.encode(library.MyClass())


@pytest.fixture
def recorder(database_url):
    """The bridge without translation: our versions as they are."""
    opened = ApplicationBridge(database_url)
    yield opened
    opened.close()


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("versions", [(0,), (2,), (1, 3), (2, 1), (1, 1), (-1,)])
def test_versions_begin_at_one_and_have_no_gaps_where_the_library_takes_any(recorder, versions, alone):
    """Under the lock, and while nobody else has appended since our last commit."""
    before = recorder.insert_events([StoredEvent(uuid4(), 1, "a.b", b"{}")])[-1] if alone else None
    aggregate = uuid4()
    with pytest.raises(IntegrityError):
        recorder.insert_events([StoredEvent(aggregate, version, "a.b", b"{}") for version in versions])
    assert recorder.select_events(aggregate) == []
    assert recorder.max_notification_id() == before

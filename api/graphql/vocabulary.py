"""The vocabularies of the domain as enums of the schema; labels.py says what each value is called."""

import strawberry

from domain.access import Decision
from domain.alarm import AlarmState, FalseCause, Trigger
from domain.centre import CentreState, Item
from domain.consent import ConsentState, Purpose
from domain.credential import CredentialState, Ground
from domain.credentials import CredentialKind
from domain.deadlines import Urgency
from domain.device import DeviceKind, DeviceState, Protocol
from domain.dispute import AgreementForm, DisputeState, Objection, Route
from domain.gatepass import RefusalGround, ReleaseGround
from domain.incident import IncidentState, Source
from domain.inquiry import InquiryState, Records
from domain.lead import LeadState
from domain.mechanisms import JointMechanism
from domain.site import Direction, GateMode, Measure, SiteState
from domain.visitor import Requester, VisitorState
from domain.watch import WatchKind, WatchState

strawberry.enum(AgreementForm, description="协议形式: how an agreement was made; both bind.")
strawberry.enum(AlarmState, description="报警状态: how far people have come with an alarm.")
strawberry.enum(
    CentreState, description="Whether a governance centre is what the standard asks for 规范化建设."
)
strawberry.enum(
    ConsentState, description="同意状态: whether a resident may be known by it: only while it is GIVEN."
)
strawberry.enum(CredentialKind, description="What is shown at a gate.")
strawberry.enum(CredentialState, description="凭证状态: whether a gate may open for it.")
strawberry.enum(Decision, description="What came of a passage at a gate.")
strawberry.enum(DeviceKind, description="What a device is.")
strawberry.enum(DeviceState, description="设备状态: how a device is; exactly one at a time.")
strawberry.enum(Direction, description="Which way people pass.")
strawberry.enum(DisputeState, description="纠纷状态: where a dispute stands; exactly one at a time.")
strawberry.enum(FalseCause, description="误报原因: why there was an alarm and no danger.")
strawberry.enum(GateMode, description="Whom a gate stops.")
strawberry.enum(Ground, name="CredentialGround", description="Why a credential is suspended or revoked.")
strawberry.enum(IncidentState, description="Where an incident stands; exactly one at a time.")
strawberry.enum(InquiryState, description="查询状态: whether anybody may look: only while it is APPROVED.")
strawberry.enum(
    Item, name="CentreItem", description="规范化建设: what the standard asks of a governance centre."
)
strawberry.enum(JointMechanism, description="六联: under which of the six the units work together.")
strawberry.enum(LeadState, description="线索状态: what is thought of a lead.")
strawberry.enum(Measure, description="What the programme installs at a site.")
strawberry.enum(Objection, description="回避: why a mediator has to step aside.")
strawberry.enum(Protocol, name="DeviceProtocol", description="What a device speaks.")
strawberry.enum(Purpose, name="ConsentPurpose", description="What a consent is for: one of them.")
strawberry.enum(Records, name="InquiryRecords", description="What an inquiry may look into.")
strawberry.enum(RefusalGround, description="拒绝: why a guard turns somebody away.")
strawberry.enum(ReleaseGround, description="放行: why a guard lets somebody pass whom the gate held.")
strawberry.enum(Requester, description="Who asked for a visit.")
strawberry.enum(
    Route, name="DisputeRoute", description="Where a dispute is decided when mediation does not end it."
)
strawberry.enum(SiteState, description="建设状态: how far a site has come in the programme 平安小区.")
strawberry.enum(Source, description="Who or what reported it.")
strawberry.enum(Trigger, description="What raised an alarm.")
strawberry.enum(Urgency, description="紧急程度: how soon it has to be dealt with.")
strawberry.enum(VisitorState, description="访客状态: where a visit stands.")
strawberry.enum(WatchKind, description="By what a watch entry is looked for.")
strawberry.enum(WatchState, description="布控状态: whether it is looked for: only while it is ACTIVE.")

"""What every value of every enum is called, in Chinese and in English: the one place, for descriptions and for front ends."""

from collections.abc import Mapping

import strawberry
from graphql import GraphQLEnumType, GraphQLSchema

from domain.errors import InvalidError

LABELS: Mapping[str, Mapping[str, str]] = {
    "AgreementForm": {"ORAL": "口头 oral", "WRITTEN": "书面 written"},
    "AlarmOrder": {
        "PRIORITY": "按优先级 by priority",
        "NEWEST": "最新在前 newest first",
    },
    "AlarmState": {
        "TRIPPED": "触发 tripped",
        "ACKED": "接警 acknowledged",
        "REVIEWED": "视频复核 reviewed",
        "REAL": "真警 real",
        "FALSE": "误报 false",
        "TEST": "测试 test",
        "RESTORED": "恢复 restored",
        "CLEARED": "消警 cleared",
    },
    "Basis": {
        "COHORT": "按受理 of those received in the period",
        "FLOW": "按办理 of those handled in the period",
        "DUE": "按期限 of those due in the period",
    },
    "CentreItem": {
        "RECEPTION_WINDOW": "群众接待窗口 reception window",
        "MEDIATION_ROOM": "矛盾纠纷调处室 mediation room",
        "COUNSELLING_ROOM": "心理咨询室 counselling room",
        "INFORMATION_COMMAND_ROOM": "综合信息指挥室 information and command room",
        "VIDEO_ROOM": "视频监控研判室 video room",
        "SIGN": "标牌 sign at the door",
        "RULES_ON_THE_WALL": "制度上墙 rules on the wall",
    },
    "CentreState": {
        "FOUNDED": "已设立 founded",
        "ACCEPTED": "已验收 accepted",
        "WITHDRAWN": "已撤销验收 acceptance withdrawn",
    },
    "Clock": {
        "WALL": "自然时 every hour",
        "WORKING": "工作时 office hours of working days",
    },
    "ClosureCount": {
        "RECEIVED": "受理 received",
        "REJECTED": "不予受理 rejected",
        "MERGED": "并案 merged",
        "COHORT_CLOSED": "本期受理已办结 received and closed",
        "OPENING": "期初未结 open at the beginning",
        "BACKLOG": "期末未结 open at the end",
        "CLOSINGS": "办结次数 closings",
        "REOPENED": "重开 reopened",
        "CLOSED": "办结 closed",
        "ON_TIME": "按期办结 closed on time",
        "LATE": "逾期办结 closed late",
        "OVERDUE": "超期未结 overdue",
        "DISPATCHES": "交办 dispatches",
        "SIGNED": "签收 signed",
        "HANDLED": "处置 handled",
        "RETURNED": "退单 returned",
        "EXTENDED": "延期 extended",
        "VERIFICATIONS": "核查 verifications",
        "REWORKED": "返工 reworked",
        "RATINGS": "评价 ratings",
        "SATISFIED": "满意 satisfied",
        "CLOSINGS_REOPENED": "办结后重开 closings that were reopened",
        "REPEATS": "重复 repeats",
    },
    "ConsentPurpose": {
        "FACE_ACCESS": "人脸通行 passing by face",
        "PLATE_ACCESS": "车牌通行 passing by plate",
    },
    "ConsentState": {
        "GIVEN": "已同意 given",
        "EXPIRED": "已过期 expired",
        "WITHDRAWN": "已撤回 withdrawn",
    },
    "Count": {
        "INCIDENTS": "事件 incidents",
        "CRIMINAL_CASES": "刑事案件 criminal cases",
        "SAFETY_ACCIDENTS": "安全事故 safety accidents",
        "DISPUTES": "矛盾纠纷 disputes",
        "ALARMS": "报警 alarms",
        "GATE_PASSES": "通行 gate passes",
    },
    "CredentialGround": {
        "LOST": "挂失 lost",
        "ASKED_FOR": "本人申请 asked for by its holder",
        "MOVED_OUT": "迁出 moved out",
        "MISUSED": "冒用 misused",
        "REGISTERED_IN_ERROR": "登记有误 registered in error",
    },
    "CredentialKind": {
        "FACE": "人脸 face",
        "PLATE": "车牌 plate",
        "CARD": "门卡 card",
        "CODE": "访客码 code of a visitor",
        "NONE": "无 nothing",
    },
    "CredentialState": {
        "ACTIVE": "有效 active",
        "SUSPENDED": "停用 suspended",
        "REVOKED": "已注销 revoked",
        "EXPIRED": "已过期 expired",
    },
    "Decision": {
        "OPENED": "放行 opened",
        "HELD": "待核 held for a guard",
        "RECORDED": "记录 recorded at an open gate",
        "REFUSED_BY_GUARD": "门卫劝返 refused by a guard",
    },
    "DeviceKind": {
        "CAMERA": "摄像机 camera",
        "READER": "读卡器 reader",
        "BARRIER": "道闸 barrier",
        "ZONE": "防区 zone of a perimeter",
    },
    "DeviceProtocol": {
        "GAT1400": "公安视频图像信息应用系统 GA/T 1400",
        "GB28181": "安防视频联网 GB/T 28181",
        "ONVIF": "开放网络视频接口 ONVIF",
        "HIKVISION": "海康威视 Hikvision ISAPI",
        "DAHUA": "大华 Dahua HTTP API",
        "FRIGATE": "录像分析 Frigate",
        "SIA_DC09": "报警传输 SIA DC-09",
        "MODBUS": "现场总线 Modbus",
    },
    "DeviceState": {
        "REGISTERED": "已登记 registered",
        "ONLINE": "在线 online",
        "OFFLINE": "离线 offline",
        "OUT_OF_SERVICE": "停用 out of service",
        "RETIRED": "报废 retired",
    },
    "Direction": {"IN": "进 in", "OUT": "出 out"},
    "DisputeOrder": {
        "NEWEST": "最新在前 newest first",
        "DUE": "按期限 by due time",
    },
    "DisputeRoute": {
        "LITIGATION": "诉讼 litigation",
        "ARBITRATION": "仲裁 arbitration",
        "ADMINISTRATIVE": "行政 administrative",
        "ENFORCEMENT": "强制执行 enforcement",
    },
    "DisputeState": {
        "REGISTERED": "登记 registered",
        "ACCEPTED": "受理 accepted",
        "NOT_ACCEPTED": "不予受理 not accepted",
        "ASSIGNED": "指派调解员 assigned to a mediator",
        "MEDIATING": "调解中 in mediation",
        "AGREED": "达成协议 agreed",
        "FAILED": "调解不成 failed",
        "REFERRED": "转办 referred",
        "TERMINATED": "撤回 withdrawn",
        "PERFORMING": "履行 being performed",
        "FULFILLED": "履行完毕 fulfilled",
        "CLOSED": "结案 closed",
    },
    "Duty": {
        "ACCEPT": "待受理 to be accepted",
        "DISPATCH": "待交办 to be dispatched",
        "SIGN": "待签收 to be signed",
        "HANDLE": "待处置 to be handled",
        "DECIDE_RETURN": "退单待审 a return to be decided",
        "DECIDE_EXTENSION": "延期待审 an extension to be decided",
        "UNPARK": "挂账待复 parked: can work go on?",
        "VERIFY": "待核查 to be verified",
    },
    "FalseCause": {
        "ANIMAL": "动物 animal",
        "PLANT": "植物 plant",
        "WEATHER": "天气 weather",
        "RESIDENT": "居民 resident",
        "FAULT": "故障 fault",
        "UNKNOWN": "不明 unknown",
    },
    "GateMode": {"OPEN": "开放 open", "GUARDED": "值守 guarded"},
    "Grain": {
        "DAY": "日 day",
        "WEEK": "周 week, from Monday",
        "MONTH": "月 month",
        "QUARTER": "季 quarter",
        "YEAR": "年 year",
    },
    "Group": {
        "TOWNSHIP": "乡镇街道 township",
        "SITE": "小区 site",
        "CATEGORY": "类别 category",
        "UNIT": "单位 unit",
        "MECHANISM": "六联机制 joint mechanism",
    },
    "IncidentOrderField": {
        "REPORTED_AT": "上报时间 time of the report",
        "LAST_AT": "最近办理 time of the latest event",
        "DUE_AT": "期限 due time",
        "CLOSED_AT": "办结时间 time of the closing",
        "URGENCY": "紧急程度 urgency",
    },
    "IncidentState": {
        "REPORTED": "已上报 reported",
        "REJECTED": "不予受理 rejected",
        "MERGED": "并案 merged into another",
        "ACCEPTED": "受理 accepted",
        "DISPATCHED": "分流交办 dispatched",
        "RETURN_REQUESTED": "申请退单 return requested",
        "SIGNED": "签收 signed",
        "HANDLING": "处置 being handled",
        "VERIFYING": "核查 being verified",
        "CLOSED": "办结 closed",
        "EVALUATED": "评价 evaluated",
        "REOPENED": "重开 reopened",
        "ARCHIVED": "归档 archived",
    },
    "InquiryRecords": {
        "PASSES": "通行记录 passes",
        "IMAGES": "图像 images",
        "VISITORS": "访客 visitors",
        "CREDENTIALS": "凭证 credentials",
    },
    "InquiryState": {
        "REQUESTED": "申请 requested",
        "APPROVED": "批准 approved",
        "REFUSED": "不予批准 refused",
        "EXPIRED": "已过期 expired",
        "CLOSED": "已结束 closed",
    },
    "JointMechanism": {
        "DISPUTE_MEDIATION": "矛盾纠纷联调 disputes are mediated together",
        "PUBLIC_SECURITY": "社会治安联防 public security is kept together",
        "PROMINENT_PROBLEMS": "突出问题联治 prominent problems are treated together",
        "KEY_TASKS": "重点工作联动 key tasks are done together",
        "SERVICE_MANAGEMENT": "服务管理联抓 services are managed together",
        "GRASSROOTS_SAFETY": "基层平安联创 safety is built together",
    },
    "LeadState": {
        "PROPOSED": "待研判 proposed",
        "CONFIRMED": "已确认 confirmed",
        "REJECTED": "已排除 rejected",
        "EXPIRED": "已过期 expired",
    },
    "Leg": {
        "DISPATCHED": "已交办 dispatched",
        "SIGNED": "已签收 signed",
        "DONE": "已完成 done",
    },
    "Measure": {
        "FACE_CAPTURE": "人脸抓拍 face capture",
        "VEHICLE_CAPTURE": "车辆抓拍 vehicle capture",
        "VIDEO_SURVEILLANCE": "视频监控 video surveillance",
        "INFRARED_PERIMETER": "红外周界 infrared perimeter",
        "VIDEO_ALERT": "视频预警 video alert",
        "DOOR_CARD": "入楼刷卡 door card",
        "VISITOR_REGISTRATION": "访客登记 visitor registration",
    },
    "MediationGroup": {
        "TOWNSHIP": "乡镇街道 township",
        "ROOM": "调解室 mediation room",
        "MEDIATOR": "调解员 mediator",
        "MECHANISM": "六联机制 joint mechanism",
    },
    "Objection": {
        "RELATIVE": "亲属 relative of a party",
        "INTEREST": "利害关系 interest in the outcome",
        "PARTIALITY": "有失公正 partiality",
    },
    "OrderDirection": {
        "ASC": "升序 ascending",
        "DESC": "降序 descending",
    },
    "Presence": {
        "ON_SITE": "在场 on site",
        "EXPECTED": "待访 expected",
    },
    "ReadKind": {
        "INQUIRY": "查询 by an inquiry",
        "LEAD": "研判 by reviewing a lead",
        "ROLE": "职务 by a role",
    },
    "ReadRecords": {
        "PASSES": "通行记录 passes",
        "IMAGES": "图像 images",
        "VISITORS": "访客 visitors",
        "CREDENTIALS": "凭证 credentials",
        "REPORTER": "举报人 reporter",
        "PARTIES": "当事人 parties",
        "CONSENTS": "同意 consents",
        "WATCHED": "布控对象 who is looked for",
        "SEARCHED": "查询内容 what an inquiry is for",
        "LOOKS": "查阅记录 the record of reads",
        "EVIDENCE": "取证 evidence",
        "PAST": "历史状态 how something stood",
        "HISTORY": "历史 every event of one thing",
        "REPLAY": "回放 one thing replayed",
        "DIFFERENCE": "对比 what differs between two moments",
        "EVENTS": "审计事件 events of the log",
        "PROOF": "证明 proof",
        "EXPORT": "导出 export of a case",
        "OPERATION": "审计员操作 what an auditor asked",
    },
    "RefusalGround": {
        "NOT_EXPECTED": "未预约 not expected",
        "HOST_DECLINED": "住户拒绝 declined by the host",
        "CREDENTIAL_NOT_GOOD": "凭证无效 credential not good",
        "CLOSED": "已关闭 closed",
        "SAFETY": "安全原因 for safety",
    },
    "ReleaseGround": {
        "RESIDENT_KNOWN": "熟识居民 resident known to the guard",
        "HOST_CONFIRMED": "住户确认 confirmed by the host",
        "CREDENTIAL_CHECKED": "凭证已核 credential checked",
        "SERVICE": "快递维修 deliveries and repairs",
        "EMERGENCY": "紧急情况 emergency",
    },
    "Requester": {"HOST": "住户 host", "VISITOR": "访客 visitor"},
    "SiteState": {
        "PLANNED": "规划 planned",
        "UNDER_CONSTRUCTION": "在建 under construction",
        "ACCEPTED": "验收 accepted",
        "OPERATING": "运行 operating",
    },
    "Source": {
        "GRID_WORKER": "网格员 grid worker",
        "CITIZEN": "群众 citizen",
        "ALARM": "报警 alarm",
        "HOTLINE": "12345热线 hotline",
        "OPEN311": "开放接口 Open311",
    },
    "Trigger": {"SENSOR": "探测器 sensor", "VIDEO": "视频 video"},
    "Unit": {"HOUR": "小时 hour", "DAY": "日 day"},
    "Urgency": {
        "NORMAL": "一般 normal",
        "URGENT": "紧急 urgent",
        "EMERGENCY": "特急 emergency",
    },
    "VisitorState": {
        "REQUESTED": "预约 requested",
        "APPROVED": "授权 approved",
        "REJECTED": "拒绝 rejected",
        "CHECKED": "核验 checked",
        "ENTERED": "已进入 entered",
        "LEFT": "已离开 left",
        "EXPIRED": "已过期 expired",
        "REVOKED": "已撤销 revoked",
        "NO_SHOW": "未到 no show",
        "OVERSTAY": "超时未离 overstayed",
    },
    "WatchKind": {"FACE": "人脸 face", "PLATE": "车牌 plate"},
    "WatchState": {
        "REQUESTED": "申请 requested",
        "ACTIVE": "布控中 active",
        "REFUSED": "不予批准 refused",
        "EXPIRED": "已过期 expired",
        "CLOSED": "已撤控 closed",
    },
}
"""By the enum's name and the value's, as GraphQL shows them: the Chinese word, a space, the English words."""


@strawberry.type(description="What a value of an enum is called.")
class EnumLabel:
    enum: str = strawberry.field(description="The enum's name.")
    value: str = strawberry.field(description="The value, as it stands in answers.")
    zh: str = strawberry.field(description="中文.")
    en: str = strawberry.field(description="English.")


@strawberry.type
class Labels:
    """The query of labels: they are the same for everybody, so it asks nobody who they are."""

    @strawberry.field(description="What the values of an enum, or of all enums, are called: for front ends.")
    def labels(self, info: strawberry.Info, enum: str | None = None) -> list[EnumLabel]:
        shown = {name for name in LABELS if info.schema.get_type_by_name(name) is not None}
        if enum is not None and enum not in shown:
            raise InvalidError(f"there is no enum {enum!r} here; there are {', '.join(sorted(shown))}")
        return [
            EnumLabel(enum=name, value=value, zh=zh, en=en)
            for name in sorted(shown if enum is None else {enum})
            for value, label in LABELS[name].items()
            for zh, _, en in (label.partition(" "),)
        ]


def describe(schema: GraphQLSchema) -> None:
    """Give every value of the schema's enums its label as a description."""
    for kind in schema.type_map.values():
        if isinstance(kind, GraphQLEnumType):
            for name, value in kind.values.items():
                value.description = value.description or LABELS.get(kind.name, {}).get(name)

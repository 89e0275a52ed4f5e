"""The six joint mechanisms 六联 of a governance centre: a tag on work that several units do together."""

from __future__ import annotations

from enum import StrEnum


class JointMechanism(StrEnum):
    """Under which of the six the units work together."""

    DISPUTE_MEDIATION = "DISPUTE_MEDIATION"  # 矛盾纠纷联调
    PUBLIC_SECURITY = "PUBLIC_SECURITY"  # 社会治安联防
    PROMINENT_PROBLEMS = "PROMINENT_PROBLEMS"  # 突出问题联治
    KEY_TASKS = "KEY_TASKS"  # 重点工作联动
    SERVICE_MANAGEMENT = "SERVICE_MANAGEMENT"  # 服务管理联抓
    GRASSROOTS_SAFETY = "GRASSROOTS_SAFETY"  # 基层平安联创

"""Every count and rate of closure in words, as they are shown beside the figures; docs/figures.md says the same at length."""

from collections.abc import Mapping
from types import MappingProxyType

DEFINITIONS: Mapping[str, str] = MappingProxyType(
    {
        "received": "Reported in the period 受理; not those rejected or merged, which are on neither side of any rate.",
        "rejected": "Reported in the period and rejected 不予受理.",
        "merged": "Reported in the period and merged into another 并案.",
        "cohort_closed": "Closed 办结 of those reported in the period; a reopened one is open.",
        "opening": "Open when the period began: reported before, and not closed then.",
        "closings": "Closings in the period; one that was closed twice counts twice.",
        "reopened": "Reopenings 重开 in the period.",
        "closed": "Incidents with a closing in the period, each once.",
        "backlog": "opening + received + reopened - closings: open at the end of the period.",
        "on_time": "Of closed: the last closing came by its due 按期办结, or had none. A deadline that was missed stays the due.",
        "late": "closed - on_time 超期办结.",
        "overdue": "Open and past due at the cut-off 超期未办结: the end of the period, of the as-of day, or now.",
        "dispatches": "Dispatches 交办 in the period.",
        "returned": "Returns granted in the period 退单.",
        "extended": "Dispatches whose first extension was granted in the period 延期.",
        "verifications": "Verifications 核查 in the period, passed or not.",
        "failed": "Verifications in the period that failed 返工.",
        "ratings": "Of the closings of the period: those rated 评价.",
        "satisfied": "Of the closings of the period: those rated 4 or 5.",
        "closings_reopened": "Of the closings of the period: those that were reopened.",
        "repeats": "Of those received: reported within 7 days after another one of the same site and category 重复.",
        "COHORT": "办结率 COHORT: cohort_closed / received.",
        "FLOW": "办结率 FLOW: closed / (opening + received).",
        "DUE": "办结率 DUE: closed / (closed + overdue).",
        "on_time_rate": "按期办结率: on_time / (closed + overdue).",
        "return_rate": "退单率: returned / dispatches.",
        "rework_rate": "返工率: failed / verifications.",
        "extension_rate": "延期率: extended / dispatches.",
        "satisfaction_rate": "满意率: satisfied / ratings.",
        "response_rate": "评价率: ratings / closings.",
        "reopen_rate": "重开率: closings_reopened / closings.",
    }
)
"""What each count and rate is. Days are calendar days in Asia/Shanghai; a base of 0 gives no rate."""

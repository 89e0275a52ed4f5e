"""Mutations of alarms 报警. That one trips, and goes back to normal, its sensor says."""

from uuid import UUID

import strawberry

from api.graphql.context import Info
from api.graphql.mutations.command import ExpectedVersion, RequestId, command, metadata, result
from api.graphql.types import CommandResult
from domain import commands
from domain.alarm import Alarm
from domain.deadlines import Urgency


@strawberry.type(description="真警: what became of an alarm that raised an incident.")
class IncidentRaised(CommandResult):
    incident_id: UUID = strawberry.field(description="The incident that it raised.")


@strawberry.type
class Alarms:
    """What is done about an alarm."""

    acknowledge_alarm = command(Alarm, Alarm.acknowledge)
    review_alarm = command(Alarm, Alarm.review)

    @strawberry.mutation(
        description="真警: it is real, and raises an incident at its site; said by whoever reviewed it.",
        metadata=metadata(Alarm, "find_real"),
    )
    async def find_alarm_real(
        self,
        info: Info,
        id: UUID,
        category: str,
        description: str,
        urgency: Urgency = Urgency.NORMAL,
        expected_version: ExpectedVersion = None,
        request_id: RequestId = None,
    ) -> IncidentRaised:
        order = info.context.order(request_id)
        done = await commands.raise_incident(
            info.context.system.log,
            order,
            id,
            expected_version=expected_version,
            category=category,
            description=description,
            urgency=urgency,
        )
        return result(done, IncidentRaised, incident_id=commands.subject_id(order))

    find_alarm_false = command(Alarm, Alarm.find_false)
    find_alarm_test = command(Alarm, Alarm.find_test)
    restore_alarm = command(Alarm, Alarm.restore)
    clear_alarm = command(Alarm, Alarm.clear)
    shelve_alarm = command(Alarm, Alarm.shelve)
    unshelve_alarm = command(Alarm, Alarm.unshelve)
    suppress_alarm = command(Alarm, Alarm.suppress)
    unsuppress_alarm = command(Alarm, Alarm.unsuppress)
    take_alarm_out_of_service = command(Alarm, Alarm.take_out_of_service)
    return_alarm_to_service = command(Alarm, Alarm.return_to_service)

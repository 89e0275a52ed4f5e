"""What the public said with a report beside its description."""

from typing import Self

import strawberry

from api.graphql.shown import copied
from domain import details


@strawberry.type(description="An answer to a question of the Open311 service.")
class Answer:
    code: str = strawberry.field(
        description="The question's code, as in `GET /open311/v2/services/CODE.json`."
    )
    values: list[str] = strawberry.field(
        description="What was answered; several where several could be chosen."
    )


@strawberry.type(description="补充信息: what was said with the report beside its description.")
class Details:
    place: str | None = strawberry.field(description="地点: where exactly, in words; finer than the site.")
    latitude: float | None = strawberry.field(description="纬度: in degrees, WGS 84.")
    longitude: float | None = strawberry.field(description="经度: in degrees, WGS 84.")
    media_url: str | None = strawberry.field(
        description="The address of a picture elsewhere, as it was given."
    )
    answers: list[Answer] = strawberry.field(description="In the order of the questions.")

    @classmethod
    def of(cls, said: details.Details) -> Self:
        """As it stands in the log."""
        return copied(cls, said, answers=[copied(Answer, one) for one in said.answers])

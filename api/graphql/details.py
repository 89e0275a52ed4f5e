"""What the public said with a report beside its description."""

from typing import Self

import strawberry

from api.graphql.shown import copied
from api.open311.answers import answers_to
from api.open311.city import City
from domain import details
from domain.errors import InvalidError


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


@strawberry.input(description="An answer to a question of the Open311 service with the report's category.")
class AnswerInput:
    code: str = strawberry.field(
        description="The question's code, as in `GET /open311/v2/services/CODE.json`."
    )
    values: list[str] = strawberry.field(
        description="What was answered; several where several can be chosen."
    )


@strawberry.input(
    description="补充信息: what was said with the report beside its description. It is not sealed: it names nobody."
)
class DetailsInput:
    place: str | None = strawberry.field(
        default=None, description="地点: where exactly, in words; finer than the site."
    )
    latitude: float | None = strawberry.field(
        default=None, description="纬度: in degrees, WGS 84; with the longitude."
    )
    longitude: float | None = strawberry.field(
        default=None, description="经度: in degrees, WGS 84; with the latitude."
    )
    media_url: str | None = strawberry.field(
        default=None, description="The address of a picture elsewhere; it is kept, and never fetched."
    )
    answers: list[AnswerInput] = strawberry.field(
        default_factory=list,
        description="To the questions of the category: all that must be answered, if any is.",
    )

    def of_domain(self, city: City, category: str) -> details.Details:
        """The details as the domain knows them, the answers in the order of the questions; InvalidError."""
        return details.Details(
            place=self.place,
            latitude=self.latitude,
            longitude=self.longitude,
            media_url=self.media_url,
            answers=self._answers(city, category) if self.answers else (),
        )

    def _answers(self, city: City, category: str) -> tuple[details.Answer, ...]:
        given = {one.code: one.values for one in self.answers}
        if len(given) < len(self.answers) or not all(given.values()):
            raise InvalidError(
                "each question has one answer, with its values: leave out what is not answered"
            )
        service = next((one for one in city.service if one.code == category), None)
        if service is None:
            known = ", ".join(one.code for one in city.service)
            raise InvalidError(
                f"nothing is asked for the category {category!r:.80}; something can be for {known}"
            )
        return answers_to(service, given)

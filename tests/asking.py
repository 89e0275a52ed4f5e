"""Ask GraphQL as different people."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any
from uuid import UUID

import graphql
import httpx

from api.tokens import Issuer
from domain.people import Person


@dataclass(frozen=True)
class Asker:
    """`client` reaches the API; `issuer` signs the tokens it believes."""

    client: httpx.AsyncClient
    issuer: Issuer

    def token(self, by: Person, *, lifetime: timedelta = timedelta(hours=1)) -> str:
        """A token of `by`, from now on."""
        return self.issuer.sign(by, datetime.now(UTC), lifetime)

    async def answer(self, query: str, by: Person | str | None, **variables: Any) -> dict[str, Any]:
        """The whole answer to a person, to the holder of a token, or to nobody."""
        token = self.token(by) if isinstance(by, Person) else by
        headers = {"Content-Type": "application/json"} | (
            {"Authorization": f"Bearer {token}"} if token else {}
        )
        # escapes what is not UTF-8, as any client may
        body = json.dumps({"query": query, "variables": variables})
        response = await self.client.post("/graphql", content=body, headers=headers)
        assert response.status_code == 200, response.text
        return response.json()

    async def data(self, query: str, by: Person, **variables: Any) -> Any:
        """The data of an answer without errors; of its only field, if there is one."""
        answer = await self.answer(query, by, **variables)
        assert "errors" not in answer, answer["errors"]
        return next(iter(answer["data"].values())) if len(answer["data"]) == 1 else answer["data"]

    async def refusal(self, query: str, by: Person | str | None, **variables: Any) -> dict[str, Any]:
        """The one error of an answer: its message, and what stands in its extensions."""
        answer = await self.answer(query, by, **variables)
        assert not any((answer["data"] or {}).values()), answer
        (error,) = answer["errors"]
        return {"message": error["message"], **error["extensions"]}

    async def do(self, mutation: str, by: Person, **arguments: Any) -> dict[str, Any]:
        """What the mutation became."""
        return await self.data(written(mutation, arguments), by)

    async def refused(self, mutation: str, by: Person | str | None, **arguments: Any) -> dict[str, Any]:
        """Why the mutation was refused."""
        return await self.refusal(written(mutation, arguments), by)


def written(mutation: str, arguments: dict[str, Any]) -> str:
    """The mutation, with its arguments written out."""
    fields = ", ".join(f"{name}: {literal(value)}" for name, value in arguments.items())
    return f"mutation {{ {mutation}{f'({fields})' if fields else ''} {{ id version position repeated }} }}"


def literal(value: Any) -> str:
    """`value` as GraphQL writes it."""
    match value:
        case Enum():
            return str(value.value)
        case dict():
            return "{" + ", ".join(f"{name}: {literal(item)}" for name, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(literal, value)) + "]"
        case bool() | int() | float() | None:
            return json.dumps(value)
        case _:
            return json.dumps(str(value))


def example(kind: graphql.GraphQLInputType) -> Any:
    """Some value of the type."""
    match kind:
        case graphql.GraphQLNonNull():
            return example(kind.of_type)
        case graphql.GraphQLList():
            return [example(kind.of_type)]
        case graphql.GraphQLEnumType():
            return next(iter(kind.values))
        case graphql.GraphQLInputObjectType():
            required = {
                name: one for name, one in kind.fields.items() if graphql.is_required_input_field(one)
            }
            return {name: example(one.type) for name, one in required.items()}
    now = datetime.now(UTC).isoformat()
    return {"String": "x-1", "Int": 1, "Float": 0.5, "Boolean": True, "UUID": str(UUID(int=7)), "DateTime": now, "Date": now[:10]}[
        kind.name
    ]  # fmt: skip

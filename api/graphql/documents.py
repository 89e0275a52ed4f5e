"""Trusted documents: the only ones that are run, when there is a list of them. docs/limits.md tells how to make one.

A client sends the text of such a document or its SHA-256. This is not Apollo's automatic registration: nobody can add to the list.
"""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from graphql import GraphQLError, GraphQLSchema, parse, validate

from domain.errors import ForbiddenError, InvalidError

Documents = Mapping[str, str]
"""Texts by their SHA-256, in hexadecimal."""
NOT_SUPPORTED = "PersistedQueryNotSupported"
"""Apollo's word, on which its clients send the text instead."""


def digest(text: str) -> str:
    """The SHA-256 of a document's text, as clients compute it."""
    return sha256(text.encode(errors="surrogatepass")).hexdigest()  # JSON can hold half of a character


def read_documents(path: Path, schema: GraphQLSchema) -> Documents:
    """The documents of a folder of .graphql files, or of a JSON file {SHA-256: text}; InvalidError names what is wrong."""
    texts = _of_folder(path) if path.is_dir() else _of_file(path)
    for name, text in texts.items():
        try:
            errors = validate(schema, parse(text))
        except GraphQLError as error:
            errors = [error]
        if errors:
            raise InvalidError(f"the trusted document {name} in {path} cannot be run: {errors[0].message}")
    # An editor ends a file with a line break, which a client's copy of the document may lack.
    return {digest(form): form for text in texts.values() for form in (text, text.strip())}


def asked_for(
    documents: Documents | None, text: str | None, extensions: Mapping[str, Any] | None
) -> str | None:
    """The text to run; None if nothing was asked. ForbiddenError if it is not of the list, where there is a list."""
    named = None if text else _named(extensions or {})
    if documents is None:
        if named is not None:
            raise InvalidError(NOT_SUPPORTED)
        return text
    if not text and named is None:
        return None
    wanted = digest(text) if text else str(named)
    if wanted not in documents:
        raise ForbiddenError(
            f"only trusted documents are run here, and {wanted} is none of them: whoever runs this server adds it to ANJU_TRUSTED_DOCUMENTS"
        )
    return documents[wanted]


def by_name(extensions: dict[str, Any] | None, document_id: object) -> dict[str, Any] | None:
    """The extensions of a request, with its `documentId` (the digest, with or without `sha256:`) where Apollo has its hash."""
    if not isinstance(document_id, str):
        return extensions
    return {**(extensions or {}), "persistedQuery": {"sha256Hash": document_id.removeprefix("sha256:")}}


def _named(extensions: Mapping[str, Any]) -> str | None:
    persisted = extensions.get("persistedQuery")
    found = persisted.get("sha256Hash") if isinstance(persisted, dict) else None
    return found.lower() if isinstance(found, str) else None


def _of_folder(folder: Path) -> dict[str, str]:
    try:
        found = {
            str(path.relative_to(folder)): path.read_text(encoding="utf-8")
            for path in sorted(folder.rglob("*.graphql"))
        }
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidError(f"the trusted documents in {folder} cannot be read: {error}") from error
    if not found:
        raise InvalidError(
            f"there are no trusted documents in {folder}: files that end in .graphql are expected"
        )
    return found


def _of_file(path: Path) -> dict[str, str]:
    try:
        found = msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidError(
            f"the trusted documents in {path} cannot be read: {error}; a folder of .graphql files or a JSON file "
            '{"SHA-256": "text"} is expected'
        ) from error
    for name, text in found.items():
        if name.lower().removeprefix("sha256:") != digest(text):
            raise InvalidError(f"the SHA-256 of the trusted document {name} in {path} is {digest(text)}")
    return found

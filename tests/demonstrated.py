"""The demonstration as a reader of the documents has it: started by its command, with its data, answering at an address."""

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from commanding import MODELS, line_with, started, stopped


@asynccontextmanager
async def demonstration(folder: Path, **settings: object) -> AsyncIterator[str]:
    """Its address, once it has told its story; what it started ends with it."""
    words = ("demo", "--port", "0")
    async with started(folder, *words, data_dir=folder, models_dir=MODELS, **settings) as process:
        url = (await line_with(process.stdout, "/graphql")).split()[0].removesuffix("/graphql")
        await line_with(process.stdout, "Ctrl-C")
        try:
            yield url
        finally:
            await stopped(process, signal.SIGINT)

"""`ionet export`: live offers in the catalogue formats of other schedulers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from ionet.cli.printing import AsJson, print_json, say, waiting
from ionet.errors import ConfigError

app = typer.Typer(help="Live offers in the formats that SkyPilot and dstack read.", no_args_is_help=True)

Api = Annotated[str, typer.Option(envvar="IONET_API", help="Address of an indexer's API.")]
To = Annotated[Path | None, typer.Option(help="File to write, replaced at once; by default stdout.")]
LOCAL = "http://127.0.0.1:8080"


@app.command()
def skypilot(api: Api = LOCAL, to: To = None, as_json: AsJson = False) -> None:
    """What can be rented now as SkyPilot's vms.csv, schema v8."""
    _export("skypilot", api, to, as_json=as_json)


@app.command()
def dstack(api: Api = LOCAL, to: To = None, as_json: AsJson = False) -> None:
    """What can be rented now as a catalogue of dstack (gpuhunt)."""
    _export("dstack", api, to, as_json=as_json)


def _export(which: str, api: str, to: Path | None, *, as_json: bool) -> None:
    from ionet import catalogues, offers

    async def ask() -> tuple[list[offers.Offer], dict[str, list[offers.OfferGpu]]]:
        found = await offers.fetch(api)
        return found, await offers.fetch_gpus(api, [offer.node for offer in found])

    with waiting("reading the offers"):
        found, gpus = asyncio.run(ask())
    make, columns = {
        "skypilot": (catalogues.skypilot, catalogues.SKYPILOT_COLUMNS),
        "dstack": (catalogues.dstack, catalogues.DSTACK_COLUMNS),
    }[which]
    rows = make(found, gpus)
    if as_json:
        print_json(rows)
        return
    text = catalogues.as_csv(rows, columns)
    if to is None:
        say(text, end="")
    else:
        _replace(to, text)
    if missing := catalogues.unnamed(found):
        say(f"left out, for the format has no name for them: {', '.join(missing)}", err=True)


def _replace(file: Path, text: str) -> None:
    """Whoever reads the file sees the old one or the new one."""
    draft = file.with_name(f".{file.name}.new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(text)
        draft.replace(file)
    except OSError as error:
        raise ConfigError(f"cannot write {file}: {error.strerror}") from None

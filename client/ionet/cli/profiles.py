"""`ionet config`: profiles, each a chain and a keypair, in `~/.config/ionet/config.toml`."""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import asdict, dataclass, fields, replace
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import typer

from ionet.cli.printing import AsJson, print_fields, print_rows
from ionet.errors import ConfigError, InvalidInput
from ionet.resolve import near

app = typer.Typer(help="Profiles: which chain and which keypair.", no_args_is_help=True)


@dataclass(frozen=True)
class Profile:
    """url: JSON-RPC address. keypair: file. api, launcher: URLs of an indexer's and a launcher's API, None for what the
    commands have by default. launcher_key: the session key that the launcher must have, None for any."""

    url: str
    keypair: str = "~/.config/solana/id.json"
    api: str | None = None
    launcher: str | None = None
    launcher_key: str | None = None


BUILT_IN = {
    "local": Profile("http://127.0.0.1:8899"),
    "devnet": Profile("https://api.devnet.solana.com"),
    "mainnet": Profile("https://api.mainnet-beta.solana.com"),
}
_DEFAULT = "local"
_FIELDS = frozenset(field.name for field in fields(Profile))
# Command → its options that a profile speaks for.
_ASKING: dict[str, dict[str, Any]] = {
    "run": {"api": "api", "launcher": "launcher"},
    "mcp": {"api": "api", "launcher": "launcher"},
    "trace": {"api": "api"},
    "export": {"skypilot": {"api": "api"}, "dstack": {"api": "api"}},
    "cluster": {"status": {"launcher": "launcher"}, "run": {"indexer": "api"}, "connect": {"indexer": "api"}},
    "node": {"up": {"indexer": "api"}, "status": {"api": "api"}, "earnings": {"api": "api"}},
    "stake": {"nodes": {"api": "api"}},
}
_CHOICE = re.compile(r"^profile\s*=.*$", re.MULTILINE)


def config_file() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "ionet" / "config.toml"


def file_for(what: str, url: str, keypair: str) -> Path:
    """A name beside the settings, one for each chain and wallet."""
    mark = sha256(f"{url} {Path(keypair).expanduser().absolute()}".encode()).hexdigest()[:12]
    return config_file().with_name(f"{what}-{mark}")


def chosen(name: str | None = None) -> Profile:
    """The profile of this name, by default the one in use. Raises ConfigError, InvalidInput."""
    current, known = _read()
    return _named(name or current, known)


def places(profile: Profile) -> dict[str, Any]:
    """Whom commands ask where neither option nor environment says so, as click's default map."""

    def below(options: dict[str, Any]) -> dict[str, Any]:
        said = {name: below(of) if isinstance(of, dict) else getattr(profile, of) for name, of in options.items()}
        return {name: value for name, value in said.items() if value is not None}

    return below(_ASKING)


def known() -> list[str]:
    """Names of the profiles, to complete what is typed; those of a settings file that cannot be read are left out."""
    try:
        return list(_read()[1])
    except ConfigError:
        return list(BUILT_IN)


@app.command()
def show(as_json: AsJson = False) -> None:
    """Every profile; a star marks the one in use."""
    current, known = _read()
    rows = [{"in_use": name == current, "profile": name, **asdict(profile)} for name, profile in known.items()]
    if as_json:
        print_fields({"file": str(config_file()), "profiles": rows}, as_json=True)
        return
    shown = [{name: value or "" for name, value in {**row, "in_use": "*" * row["in_use"]}.items()} for row in rows]
    print_rows(shown, list(shown[0]), as_json=False)


@app.command()
def use(
    profile: Annotated[
        str,
        typer.Argument(
            help="local, devnet, mainnet, or one of the file's own.",
            autocompletion=lambda incomplete: [name for name in known() if name.startswith(incomplete)],
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Use a profile from now on, unless --profile, --url or --keypair say otherwise."""
    found = _named(profile, _read()[1])
    file = config_file()
    line = f'profile = "{profile}"'
    try:
        text = file.read_text() if file.exists() else ""
        text = _CHOICE.sub(line, text, count=1) if _CHOICE.search(text) else f"{line}\n{text}"
        file.parent.mkdir(parents=True, exist_ok=True)
        # Replaced at once: a reader never sees half of it.
        draft = file.with_suffix(".new")
        draft.write_text(text)
        draft.replace(file)
    except OSError as error:
        raise ConfigError(f"cannot write {file}: {error.strerror}") from None
    print_fields({"file": str(file), "profile": profile, "url": found.url, "keypair": found.keypair}, as_json=as_json)


def _named(name: str, known: dict[str, Profile]) -> Profile:
    if name not in known:
        raise InvalidInput(f"profile {name!r}; known are {', '.join(known)}{near(name, known)}")
    return known[name]


def _read() -> tuple[str, dict[str, Profile]]:
    """The name of the profile in use, and all of them."""
    file = config_file()
    try:
        found: dict[str, Any] = tomllib.loads(file.read_text()) if file.exists() else {}
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is no TOML: {error}") from None
    known = dict(BUILT_IN)
    profiles = found.get("profiles", {})
    if not isinstance(profiles, dict):
        raise ConfigError(f"{file}: profiles is no table")
    for name, given in profiles.items():
        known[name] = _profile(file, name, given, known.get(name))
    current = found.get("profile", _DEFAULT)
    if not isinstance(current, str):
        raise ConfigError(f"{file}: profile is no name")
    return current, known


def _profile(file: Path, name: str, given: Any, base: Profile | None) -> Profile:
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise ConfigError(f"{file}: profile {name} is no table of texts")
    if given.keys() - _FIELDS or (base is None and "url" not in given):
        more = ", ".join(field.name for field in fields(Profile)[1:])
        raise ConfigError(f"{file}: profile {name} needs a url, and may have {more}, nothing else")
    return replace(base or Profile(given["url"]), **given)

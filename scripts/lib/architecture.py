"""The picture of the packages in docs/architecture.md, drawn from their imports; see scripts/draw-architecture."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

import grimp

# Package → the folder it is in, as people call it.
PACKAGES = {
    "ionet_stack": "stack",
    "ionet_launcher": "launcher",
    "ionet_agent": "agent",
    "ionet_keeper": "keeper",
    "ionet_relay": "relay",
    "ionet_mcp": "mcp",
    "ionet_web": "web",
    "ionet_actions": "actions",
    "ionet_indexer": "indexer",
    "ionet_localnet": "localnet",
    "ionet": "client",
}
# Room of the client → its modules, from top to bottom.
ROOMS = {
    "cli": ("cli", "__main__"),
    "renting": ("renting",),
    "tending": ("tending",),
    "duties": ("duties",),
    "client": ("client", "lease_view", "node_report", "stake_report", "stopping", "quote"),
    "api": ("api", "booking"),
    "services": (
        *(
            "trace",
            "trace_check",
            "receipt",
            "leaves",
            "ready",
            "ray",
            "ray_start",
            "ray_agents",
            "relay_name",
            "relay_wire",
        ),
        *(
            "advert",
            "agent_api",
            "agent_delegation",
            "agent_errors",
            "agent_tls",
            "launcher_api",
            "launcher_advert",
            "dashboard",
        ),
        *("agent_ports", "overlay"),
        *("offers", "catalogues", "earnings", "node_search", "wish", "distance"),
    ),
    "check": ("check", "isolation"),
    "sending": (
        *("chain", "executor", "plan", "planner", "budget", "fees", "events", "wallet", "defence"),
        *("lookup_tables", "rpc", "refusals", "statuses", "patient_http", "diagnosis", "fuel", "webhooks"),
    ),
    "program": ("program", "addresses", "failure"),
    "rules": ("rules", "words", "resolve", "ed25519"),
    "generated": ("generated",),
    "codec": ("codec", "idl", "build"),
    "base": (
        *("daemon", "errors", "arguments", "base58", "sql", "countries", "apart"),
        *("buckets", "crowd", "places", "guarded_http", "http_server", "listening"),
    ),
}
SAYS = {
    "cli": "the command ionet",
    "renting": "a job from the search to the bill",
    "tending": "does what is due, for one wallet",
    "duties": "what anyone may do, and when it is due",
    "client": "Client: one API per noun",
    "api": "what can be asked and sent, by noun",
    "services": "what services say to each other",
    "check": "the hardware check: kernel, messages, who answers",
    "sending": "Chain: plans to transactions that land once",
    "program": "addresses, accounts, refusals",
    "rules": "the program's own arithmetic",
    "generated": "what the program says, from its IDL",
    "codec": "bytes and IDL",
    "base": "errors, base58, SQL files, processes",
}
BEGIN, END = "<!-- drawn by scripts/draw-architecture: {} -->", "<!-- end of {} -->"

Arrows = frozenset[tuple[str, str]]


def graph() -> grimp.ImportGraph:
    """Every import of the packages, read from their sources."""
    return grimp.build_graph(*PACKAGES, cache_dir=None)


def packages(imports: grimp.ImportGraph) -> Arrows:
    """Which package imports which."""
    return _arrows(imports, lambda module: PACKAGES[module.partition(".")[0]])


def rooms(imports: grimp.ImportGraph) -> Arrows:
    """Which room of the client imports which. Raises KeyError for a module without a room."""
    room_of = {module: room for room, modules in ROOMS.items() for module in modules}

    def place(module: str) -> str | None:
        package, _, inner = module.partition(".")
        return room_of[inner.partition(".")[0]] if package == "ionet" and inner else None

    return _arrows(imports, place)


def mermaid(arrows: Arrows, order: Iterable[str], says: Mapping[str, str] | None = None) -> str:
    """A diagram from top to bottom, without the arrows that follow from others."""
    lines = ["```mermaid", "flowchart TD"]
    for name in order:
        text = f"{name}<br/>{says[name]}" if says else name
        lines.append(f'    {name}["{text}"]')
    lines += [f"    {above} --> {below}" for above, below in sorted(_reduced(arrows))]
    return "\n".join([*lines, "```"])


def redrawn(text: str, pictures: Mapping[str, str]) -> str:
    """The document with each marked block replaced. Raises ValueError when a block is missing."""
    for name, picture in pictures.items():
        begin, end = BEGIN.format(name), END.format(name)
        block = re.compile(re.escape(begin) + r"\n.*?" + re.escape(end), re.DOTALL)
        if not block.search(text):
            raise ValueError(f"no block {begin}")
        text = block.sub(lambda _, drawn=f"{begin}\n{picture}\n{end}": drawn, text)  # type: ignore[misc]
    return text


def pictures(imports: grimp.ImportGraph) -> dict[str, str]:
    """Both pictures by name. The program is drawn as what the client's generated room comes from."""
    program = '    program["programs/ionet"] -. "IDL, generates ionet.generated" .-> client\n```'
    return {
        "packages": mermaid(packages(imports), PACKAGES.values()).removesuffix("```") + program,
        "client": mermaid(rooms(imports), ROOMS, SAYS),
    }


def _arrows(imports: grimp.ImportGraph, place: Callable[[str], str | None]) -> Arrows:
    found: set[tuple[str, str]] = set()
    for module in imports.modules:
        for imported in imports.find_modules_directly_imported_by(module):
            above, below = place(module), place(imported)
            if above is not None and below is not None and above != below:
                found.add((above, below))
    return frozenset(found)


def _reduced(arrows: Arrows) -> set[tuple[str, str]]:
    """Without the arrows that a longer way says too."""
    below: dict[str, set[str]] = {}
    for above, under in arrows:
        below.setdefault(above, set()).add(under)

    def reach(start: str, seen: set[str]) -> set[str]:
        for under in below.get(start, ()):
            if under not in seen:
                seen.add(under)
                reach(under, seen)
        return seen

    return {
        (above, under)
        for above, under in arrows
        if not any(under in reach(other, set()) for other in below[above] if other not in (under, above))
    }

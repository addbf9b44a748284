"""The command; see scripts/mutate for its use."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from mutate_program import equivalents, report, trial
from mutate_program.sites import SOURCES, Mutant, in_tree, sample
from mutate_program.workplace import SUITE, Workplace, digest

ROOT = Path(__file__).resolve().parents[2]
RECORD = Path(__file__).with_name("record.jsonl")
WORK = ROOT / "build" / "mutants"
LIMIT, CHECK_LIMIT = 1_200, 300  # seconds


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/mutate", description="Mutants of the program, and who notices them.")
    commands = parser.add_subparsers(dest="command", required=True)

    listed = commands.add_parser("list", help="print the mutants there are")
    run = commands.add_parser("run", help="build and test mutants")
    check = commands.add_parser("check", help="see that recorded mutants are still killed")
    commands.add_parser("report", help="print the record as tables")

    for command in (listed, run):
        command.add_argument("--seed", default="1", help="chooses among mutants (default 1)")
        command.add_argument("--kind", help="only mutants of one kind")
        command.add_argument("--file", help="only mutants of files whose path contains this")
        command.add_argument("--id", action="append", default=[], help="only this mutant; repeatable")
        command.add_argument("--count", type=int, help="at most this number, in the order of the seed (default all)")
    run.add_argument("--fresh", action="store_true", help="forget what an earlier run found")
    run.add_argument("--limit", type=float, default=LIMIT, help=f"seconds for one mutant (default {LIMIT})")
    run.add_argument("--record", action="store_true", help=f"put what is found into {RECORD.relative_to(ROOT)}")
    check.add_argument("--count", type=int, default=2, help="how many (default 2)")
    check.add_argument("--seed", help="chooses among them (default: the program's sources and tests)")
    for command in (run, check):
        command.add_argument(
            "--work", type=Path, default=WORK, help="folder for the private copy (default build/mutants)"
        )
        command.add_argument("--json", type=Path, help="also write the outcomes to this file, a list")
    commands_by_name = {"list": _list, "run": _run, "check": _check, "report": _report}
    args = parser.parse_args()
    return commands_by_name[args.command](args)


def _chosen(args: argparse.Namespace) -> list[Mutant]:
    found = [
        mutant
        for mutant in sample(in_tree(ROOT), args.seed)
        if args.kind in (None, mutant.kind)
        and (args.file is None or args.file in mutant.file)
        and (not args.id or mutant.id in args.id)
    ]
    return found[: args.count]


def _list(args: argparse.Namespace) -> int:
    for mutant in _chosen(args):
        print(mutant.id, mutant.says())
    return 0


def _run(args: argparse.Namespace) -> int:
    mutants = _chosen(args)
    argued = equivalents.arguments(mutants, equivalents.entries())
    # With other sources the run begins again; with other tests what had survived is tried again.
    folder = args.work / digest(ROOT, SOURCES)
    if args.fresh:
        shutil.rmtree(folder, ignore_errors=True)
    done = {id: item for id, item in trial.load(folder / "outcomes.jsonl").items() if item.outcome in trial.DECIDED}
    place = Workplace(ROOT, args.work)
    with place.taken():
        base = None
        for mutant in mutants:
            if mutant.id in argued:
                done[mutant.id] = trial.Outcome.of(mutant, trial.EQUIVALENT, argued[mutant.id])
            elif mutant.id not in done:
                base = base or _baseline(place, folder / f"{digest(ROOT, SUITE)}.msgpack")
                done[mutant.id] = trial.attempt(place, mutant, base, args.limit)
                trial.append(folder / "outcomes.jsonl", done[mutant.id])
            print(report.line(done[mutant.id]), flush=True)
    outcomes = [done[mutant.id] for mutant in mutants]
    _write(args.json, outcomes)
    if args.record:
        existing = {mutant.id for mutant in in_tree(ROOT)}
        kept = {id: outcome for id, outcome in trial.load(RECORD).items() if id in existing}
        trial.save(RECORD, kept | {item.id: item for item in outcomes})
    print(f"\n{report.by_kind(outcomes)}\n\n{report.score(outcomes)}")
    return int(any(item.outcome not in trial.DECIDED for item in outcomes))


def _baseline(place: Workplace, path: Path) -> trial.Baseline:
    if path.exists():
        found = msgspec.msgpack.decode(path.read_bytes(), type=trial.Baseline)
    else:
        print("the program without a mutant: builds it and runs the whole suite, minutes", flush=True)
        found = trial.baseline(place, 4 * LIMIT)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.msgpack.encode(found))
    if found.failing:
        print(f"{len(found.failing)} tests fail without a mutant and are left out: {', '.join(found.failing[:5])} …")
    return found


def _check(args: argparse.Namespace) -> int:
    """Needs no baseline: a killer that fails without a mutant fails in the suite as well."""
    recorded = {id: item for id, item in trial.load(RECORD).items() if item.outcome == trial.KILLED}
    mutants = [mutant for mutant in in_tree(ROOT) if mutant.id in recorded]
    wrong = equivalents.stale(in_tree(ROOT), equivalents.entries())
    if 2 * len(mutants) <= len(recorded):
        wrong.append(
            f"{len(mutants)} of {len(recorded)} recorded mutants are left: scripts/mutate run --count 60 --record"
        )
    outcomes = []
    place = Workplace(ROOT, args.work)
    with place.taken():
        for mutant in sample(mutants, args.seed or digest(ROOT, SOURCES, SUITE))[: args.count]:
            outcomes.append(trial.again(place, mutant, recorded[mutant.id].by, CHECK_LIMIT))
            print(report.line(outcomes[-1]), flush=True)
    _write(args.json, outcomes)
    wrong += [f"{item.id} is {item.outcome}: {item.by}" for item in outcomes if item.outcome != trial.KILLED]
    print("\n".join(wrong) or f"{report.score(outcomes)}; {len(mutants)} of {len(recorded)} recorded ones are left")
    return int(bool(wrong))


def _report(_args: argparse.Namespace) -> int:
    outcomes: Sequence[trial.Outcome] = list(trial.load(RECORD).values())
    print(f"{report.by_kind(outcomes)}\n\n{report.score(outcomes)}\n\n{report.each(outcomes)}")
    return 0


def _write(path: Path | None, outcomes: Sequence[trial.Outcome]) -> None:
    if path is not None:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(outcomes), indent=2) + b"\n")


if __name__ == "__main__":
    sys.exit(main())

"""`scripts/bench --peers`: options, the series, the tables and the verdicts."""

import argparse
import resource
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import rig

from series import verdicts
from series.measure import OURS, Series, say
from series.peers import PEERS
from series.workloads import Scale, Workload, workloads

NEEDED_FILES = 15_500


def parser(description: str) -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--peers", action="store_true", help="measure other servers too, and judge the goals")
    made.add_argument("--only", help=f"workloads: {','.join(workloads(Scale()))}")
    made.add_argument("--servers", help=f"leave out all but: {','.join(PEERS)}")
    made.add_argument("--rounds", type=int, help="of every workload; by itself 8, fewer where a round is long")
    made.add_argument("--seconds", type=float, default=Scale.seconds, help="of publishing, each run")
    made.add_argument("--quick", action="store_true", help="a tenth of the connections, one round: does it run at all?")
    made.add_argument("--json", type=Path, help="keep results there; workloads that are not run again stay as they are")
    made.add_argument("--resume", action="store_true", help="run only what the file lacks")
    made.add_argument("--verdicts", action="store_true", help="run nothing; judge what the file holds")
    return made


def _names(given: str | None, known: dict[str, Any], what: str) -> list[str]:
    names = [name.strip() for name in given.split(",") if name.strip()] if given else []
    for name in names:
        if name not in known:
            sys.exit(f"unknown {what} {name!r}: there are {', '.join(known)}")
    return names


def _best(figure: str) -> Callable[[Iterable[float]], float]:
    """Rates are the better the higher they are, all else the lower."""
    return max if figure.endswith("per_second") else min


def _show(workload: Workload, rounds: list[dict[str, Any]], titles: dict[str, Any]) -> None:
    print(f"\n{workload.name}: {workload.about}; minimum of {len(rounds)} rounds")
    for group in workload.groups:
        for cell in group.cells:
            held = [one.get(group.name, {}).get(cell.peer, {}) for one in rounds]
            if not any(held):
                continue
            good = [figures for figures in held if figures and "error" not in figures]
            title = titles.get(cell.peer, {}).get("title", cell.peer)
            if not good:
                print(f"  {group.name:<12}{title:<26} {held[0].get('error', '')[:80]}")
                continue
            shown = "  ".join(
                f"{name} {_best(name)(figures[name] for figures in good if name in figures):,.5g}"
                for name in good[0]
                if name not in ("late", "loader_share")
            )
            print(f"  {group.name:<12}{title:<26} {shown}")


def main(description: str) -> int:
    """Measure, print, judge; 1 where wirehop or the floor lost something."""
    options = parser(description).parse_args()
    scale = Scale(seconds=0.2, shrink=10) if options.quick else Scale(seconds=options.seconds)
    known = workloads(scale)
    asked = _names(options.only, dict(known), "workload") or list(known)
    servers = set(_names(options.servers, dict(PEERS), "server"))
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    if files < NEEDED_FILES and not options.quick:
        say(f"only {files} open files are allowed (ulimit -n); 15,000 connections need {NEEDED_FILES}")
        return 1
    started = time.monotonic()
    run = Series(options.json, chosen=servers, is_resumed=options.resume)
    try:
        if not options.verdicts:
            run.build()
            for name in asked:
                rounds = options.rounds or (1 if options.quick else known[name].rounds)
                run.run(known[name], rounds, {"seconds": scale.seconds, "size": scale.size, "shrink": scale.shrink})
    except rig.RigError as error:
        say(f"bench: {error}")
        return 1
    except KeyboardInterrupt:
        say(f"stopped; `--resume` goes on from here: {options.json}" if options.json else "stopped")
        return 130
    for name in asked:
        if held := run.results["workloads"].get(name):
            _show(known[name], held["rounds"], run.results["peers"])
    judged = verdicts.judged(run.results)
    run.results["verdicts"] = [verdict.as_row() for verdict in judged]
    run.save()
    print("\nGoals: minimum over the rounds on both sides (median of the ratios of neighbouring runs)")
    print("\n".join(verdicts.lines(judged)))
    if any(held["scale"]["shrink"] != 1 for held in run.results["workloads"].values()):
        print("Of a --quick run: a tenth of the connections, so this shows that it runs, and judges nothing.")
    say(f"{time.monotonic() - started:.0f} s")
    lost = [
        (name, peer)
        for name in asked
        for one in run.results["workloads"].get(name, {}).get("rounds", [])
        for group in one.values()
        for peer, figures in group.items()
        if peer in OURS and "error" in figures
    ]
    for name, peer in sorted(set(lost)):
        say(f"{peer} gave no figures in {lost.count((name, peer))} runs of {name}")
    return 1 if lost else 0

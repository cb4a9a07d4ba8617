"""`python -m bench [--quick] [--only NAME]...`: measure, and write RESULTS.md.

Only a full run writes the file; every run prints the page on standard output.
"""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.growth import page as growth
from bench.host import FULL, QUICK, Host, Scale, host, say
from bench.measures.http import http_list, http_write, memory, visible
from bench.measures.projection import projection
from bench.measures.write import bus, eventsourcing, lone
from bench.results import Row, page

RESULTS = Path(__file__).with_name("RESULTS.md")

MEASURES: Mapping[str, Callable[[Host], list[Row]]] = {
    "bus": bus,
    "lone": lone,
    "eventsourcing": eventsourcing,
    "projection": projection,
    "http_write": http_write,
    "http_list": http_list,
    "visible": visible,
    "memory": memory,
}
"""In this order: what needs no API runs before its processes are there."""


def how(scale: Scale) -> str:
    return (
        f"Medians of {scale.rounds} alternating runs of {scale.seconds} s on each "
        "side, after a warm-up and a database checkpoint; synchronous_commit on; the "
        "same server and settings for all, a database for each; clients, servers and "
        "database share the machine. The modules in `bench/measures` and `bench/peers` "
        "say what each line does."
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round of each")
    parser.add_argument("--only", action="append", choices=MEASURES, default=[])
    arguments = parser.parse_args()
    scale = QUICK if arguments.quick else FULL
    rows: list[Row] = []
    with host(scale) as running:
        for name, measure in MEASURES.items():
            if not arguments.only or name in arguments.only:
                say(f"measuring {name}")
                rows += measure(running)
        text = page(rows, running.version(), how(scale))
    print(text)
    if scale is FULL and not arguments.only:
        RESULTS.write_text(text + growth.part())
        say(f"wrote {RESULTS.name}")


if __name__ == "__main__":
    main()

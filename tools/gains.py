#!/usr/bin/env python3
"""How much better one variant of an experiment is than another, within a seed: mean, 95 % interval, whether ranges overlap.

    tools/gains.py [--higher] RESULTS.csv METRIC BETTER:WORSE [BETTER:WORSE ...]     a Markdown table, a row a pair

RESULTS.csv is what `memlayers experiment` writes (variant,seed,metric,value). The gain is how much lower BETTER's number is
(--higher: how much higher), of the seeds that both have; the interval is Student's t, as for criteria (docs/experiments.md).
It answers questions that were not among an experiment's criteria; say so where you print an answer.
"""

import argparse
import csv
import math
import statistics
import sys
from pathlib import Path

# Two-sided 95 % quantiles of Student's t by degrees of freedom.
STUDENT = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262]


def values(path: Path, metric: str) -> dict[str, dict[int, float]]:
    """variant -> seed -> value"""
    found: dict[str, dict[int, float]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["metric"] == metric:
                found.setdefault(row["variant"], {})[int(row["seed"])] = float(row["value"])
    return found


def gain(better: dict[int, float], worse: dict[int, float], higher: bool) -> tuple[float, float, bool]:
    """(mean, half of the interval, whether the ranges over seeds are apart)"""
    sign = 1 if higher else -1
    gains = [sign * (better[seed] - worse[seed]) for seed in sorted(better.keys() & worse.keys())]
    if not 2 <= len(gains) <= len(STUDENT) + 1:
        raise ValueError(f"expected 2 to {len(STUDENT) + 1} seeds that both have, got {len(gains)}")
    half = STUDENT[len(gains) - 2] * statistics.stdev(gains) / math.sqrt(len(gains))
    apart = min(sign * value for value in better.values()) > max(sign * value for value in worse.values())
    return statistics.mean(gains), half, apart


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], usage=__doc__.split("\n")[2].split("   ")[1].strip())
    parser.add_argument("results", type=Path)
    parser.add_argument("metric")
    parser.add_argument("pairs", nargs="+")
    parser.add_argument("--higher", action="store_true", help="higher numbers are better (recall, bits)")
    arguments = parser.parse_args()
    try:
        found = values(arguments.results, arguments.metric)
        rows = []
        for pair in arguments.pairs:
            better, separator, worse = pair.partition(":")
            unknown = [name for name in (better, worse) if name not in found]
            if not separator or unknown:
                raise ValueError(f"{pair}: expected BETTER:WORSE of {', '.join(sorted(found)) or 'no variants at all'}")
            mean, half, apart = gain(found[better], found[worse], arguments.higher)
            rows.append(f"| {better} over {worse} | {mean:.3f} | {mean - half:.3f} to {mean + half:.3f} | {'yes' if apart else 'no'} |")
    except (OSError, ValueError, KeyError) as error:
        print(f"gains: {error}", file=sys.stderr)
        return 2
    print(f"| gain, {arguments.metric} | mean | 95 % interval | ranges apart |\n|---|---:|---:|---|")
    print("\n".join(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())

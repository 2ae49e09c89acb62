# SPDX-License-Identifier: MIT
"""The knobs of include/kern/knobs.def: what ./run, make bench and make experiment accept, and the table in docs/knobs.md."""

import argparse
import difflib
import os
import re
import sys
import textwrap
from dataclasses import dataclass

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LIST = os.path.join(TOP, "include", "kern", "knobs.def")
CHAPTER = os.path.join(TOP, "docs", "knobs.md")
MARK = "<!-- The rest is made by `make docs`; do not edit. -->\n"
RANGE = re.compile(r'^KNOB_RANGE\(\w+,\s*"([^"]+)",\s*(\w+),\s*(\w+),\s*(\w+),\s*"([^"]*)"\)', re.MULTILINE)
CHOICE = re.compile(r'^KNOB_CHOICE\(\w+,\s*"([^"]+)",\s*(\d+),\s*"([^"]+)",\s*"([^"]*)"\)', re.MULTILINE)
# Not a value that lasts, so not in the list: lib/knobs.c.
ONCE = "fail"


@dataclass(frozen=True)
class Knob:
    name: str
    default: str
    about: str  # what to look at, a sentence
    choices: tuple = ()
    limits: tuple = ()  # without choices: lowest, highest

    def allows(self, value):
        if self.choices:
            return str(value) in self.choices
        try:
            return self.limits[0] <= int(str(value), 0) <= self.limits[1]
        except ValueError:
            return False

    def values(self):
        return ", ".join(self.choices) if self.choices else f"{self.limits[0]} to {self.limits[1]}"


def number(text):
    return int(text.rstrip("UL"), 0)


def known(path=LIST):
    """{name: Knob}, in the order of their names."""
    with open(path, encoding="utf-8") as f:
        text = f.read()
    found = [Knob(name, str(number(default)), about, limits=(number(low), number(high)))
             for name, default, low, high, about in RANGE.findall(text)]  # fmt: skip
    for name, default, choices, about in CHOICE.findall(text):
        words = tuple(choices.split("|"))
        found.append(Knob(name, words[int(default)], about, choices=words))
    return {knob.name: knob for knob in sorted(found, key=lambda knob: knob.name)}


def problem(name, value):
    """What is wrong with the setting, and what would be right; empty: nothing."""
    knobs = known()
    if name == ONCE:
        return ""
    if name not in knobs:
        near = difflib.get_close_matches(name, knobs, 3)
        return f"knob {name} is not in include/kern/knobs.def" + (f"; perhaps {' or '.join(near)}" if near else "; --knob help lists them")
    if not knobs[name].allows(value):
        return f"knob {name} cannot be {value!r}: {knobs[name].values()}"
    return ""


def check(words):
    """What is wrong with the first bad one of NAME=VALUE words; empty: nothing."""
    for word in words:
        name, equals, value = word.partition("=")
        wrong = problem(name, value) if equals else f"{word}: expected NAME=VALUE; --knob help lists the knobs"
        if wrong:
            return wrong
    return ""


def listing(width=100):
    """All of them as text for a terminal."""
    lines = []
    for knob in known().values():
        lines.append(f"{knob.name}={knob.default}  ({knob.values()})")
        lines += textwrap.wrap(knob.about, width, initial_indent="    ", subsequent_indent="    ")
    return "\n".join(lines)


def table():
    rows = ["| knob | default | values | what to look at |", "|---|---|---|---|"]
    for knob in known().values():
        rows.append(f"| {knob.name} | {knob.default} | {knob.values()} | {knob.about.replace('|', '/')} |")
    return "\n".join(rows) + "\n"


def main():
    ap = argparse.ArgumentParser(description="Writes the table of docs/knobs.md anew.")
    ap.add_argument("--check", action="store_true", help="fail when docs/knobs.md is stale")
    args = ap.parse_args()
    with open(CHAPTER, encoding="utf-8") as f:
        old = f.read()
    new = old.partition(MARK)[0] + MARK + "\n" + table()
    if args.check and new != old:
        sys.exit("docs/knobs.md is stale: run `make docs`")
    if not args.check:
        with open(CHAPTER, "w", encoding="utf-8") as f:
            f.write(new)


if __name__ == "__main__":
    main()

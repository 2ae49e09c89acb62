# SPDX-License-Identifier: MIT
"""Reads KTAP, the test output format of Linux (Documentation/dev-tools/ktap.rst), flat form."""

import re
from dataclasses import dataclass, field

LINE = re.compile(r"^(ok|not ok) (\d+)(?: -)? ?(.*?)(?: # ?(\S+)?(.*))?$")


@dataclass
class Case:
    number: int
    name: str
    outcome: str  # passed, failed, skipped
    notes: list  # the "#" lines before it


@dataclass
class Ktap:
    planned: int | None = None
    cases: list = field(default_factory=list)
    bailed: str = ""

    def problem(self, status):
        """Why the output as a whole is no complete report of a program that ended with this status."""
        if self.bailed:
            return f"bailed out: {self.bailed}"
        if self.planned is None:
            return "no plan line in the output"
        if [c.number for c in self.cases] != list(range(1, self.planned + 1)):
            return f"{self.planned} tests planned, reported: {[c.number for c in self.cases]}"
        wanted = int(any(c.outcome == "failed" for c in self.cases))
        if status != wanted:
            return f"exit status {status} where the results mean {wanted}"
        return ""


def parse(text):
    ktap, notes = Ktap(), []
    for line in text.splitlines():
        if match := re.match(r"^1\.\.(\d+)", line):
            ktap.planned = int(match[1])
        elif line.startswith("Bail out!"):
            ktap.bailed = line[9:].strip() or "without a word"
        elif match := LINE.match(line):
            word, number, name, directive = match[1], int(match[2]), match[3], match[4]
            skipped = word == "ok" and (directive or "").upper() == "SKIP"
            outcome = "skipped" if skipped else "passed" if word == "ok" else "failed"
            ktap.cases.append(Case(number, name, outcome, notes))
            notes = []
        elif line.startswith("#"):
            notes.append(line)
    return ktap

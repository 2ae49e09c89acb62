# SPDX-License-Identifier: MIT
"""Runs the tests in several processes, so that no CPU has nothing to do: pytest --lanes N.

The lanes are forked when all tests are known, and take one group of tests after the other. A lane sends its reports
when a group is done, and the process that forked it shows them as if it had run the group itself.
"""

import itertools
import os
import signal
import traceback
from multiprocessing import Pipe
from multiprocessing.connection import wait

import pytest
import vm


class Reports:
    """Stands where a lane's terminal reporter was, and keeps the reports."""

    def __init__(self, config):
        self.config, self.kept = config, []
        self._tw = config.get_terminal_writer()  # what pytest asks this plugin for

    def pytest_runtest_logreport(self, report):
        self.kept.append(self.config.hook.pytest_report_to_serializable(config=self.config, report=report))

    def take(self):
        kept, self.kept = self.kept, []
        return kept


class Lane:
    """One process. group: what it runs now, None when it has been told to end."""

    def __init__(self, session, groups, others):
        self.group = None
        self.pipe, other_end = Pipe()
        self.pid = os.fork()
        if self.pid:
            other_end.close()
            return
        try:
            for pipe in (self.pipe, *others):
                pipe.close()  # so that a lane ends with its parent
            vm.die_with_parent()
            serve(session, groups, other_end)
        except KeyboardInterrupt:
            pass
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)

    def give(self, groups, number):
        self.group = groups[number] if number is not None else None
        self.pipe.send(number)


def serve(session, groups, pipe):
    """A lane's life: a number comes in, the reports of that group go out."""
    manager = session.config.pluginmanager
    capture = manager.getplugin("capturemanager")
    capture.stop_global_capturing()
    capture.start_global_capturing()  # into files of its own
    reports = Reports(session.config)
    manager.unregister(name="terminalreporter")
    manager.register(reports, "terminalreporter")
    while (number := pipe.recv()) is not None:
        group = groups[number]
        for item, following in zip(group, [*group[1:], None]):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        pipe.send(reports.take())


def show(session, kept):
    """What a lane sent goes to all who are told of reports."""
    hook, shown = session.config.hook, None
    for data in kept:
        report = hook.pytest_report_from_serializable(config=session.config, data=data)
        if report.nodeid != shown:
            hook.pytest_runtest_logstart(nodeid=report.nodeid, location=report.location)
        shown = report.nodeid
        hook.pytest_runtest_logreport(report=report)


def lost(session, group):
    """The lane has died with a group."""
    for item in group:
        session.config.hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        session.config.hook.pytest_runtest_logreport(report=pytest.TestReport(
            nodeid=item.nodeid, location=item.location, keywords={}, outcome="failed", when="call",
            longrepr="the process that ran it has died, perhaps in another test of its group"))  # fmt: skip


def run(session, groups, count):
    """Runs groups, lists of items, in count lanes, the first ones first."""
    session.config._tmp_path_factory.getbasetemp()  # one for all
    numbers = iter(range(len(groups)))
    lanes = {}

    def start(number):
        lane = Lane(session, groups, list(lanes))
        lanes[lane.pipe] = lane
        lane.give(groups, number)

    try:
        for number in itertools.islice(numbers, count):
            start(number)
        while lanes:
            for pipe in wait(list(lanes)):
                lane = lanes[pipe]
                try:
                    show(session, pipe.recv())
                    lane.give(groups, next(numbers, None))
                except EOFError:
                    del lanes[pipe]
                    os.waitpid(lane.pid, 0)
                    if lane.group:
                        lost(session, lane.group)
                        for number in itertools.islice(numbers, 1):
                            start(number)
            if session.shouldfail:
                raise session.Failed(session.shouldfail)
            if session.shouldstop:
                raise session.Interrupted(session.shouldstop)
    finally:
        for lane in lanes.values():
            os.kill(lane.pid, signal.SIGINT)  # its tests end what they have started
            os.waitpid(lane.pid, 0)

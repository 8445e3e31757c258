# SPDX-License-Identifier: Apache-2.0
"""The broker's audit log in the journal: a socket of the test's own where systemd has its one."""

import os
import socket

import harness
from harness import check
from kbs_broker import Broker, Client

# A /run of its own, with the folder of the test's socket where the journal's is.
IN_JOURNAL = """mount -t tmpfs none /run && mkdir -p /run/systemd/journal &&
    mount --bind "$0" /run/systemd/journal && exec "$@\""""


def in_journal(folder):
    return ("unshare", "--mount", "bash", "-c", IN_JOURNAL, folder)


def listen(folder, stack):
    journal = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    journal.bind(os.path.join(folder, "socket"))
    journal.settimeout(30)
    return journal


def fields(message):
    """Of an entry as systemd's journal takes it; those of text in one line."""
    return dict(line.split("=", 1) for line in message.decode().splitlines() if "=" in line)


def test_journal(folder, stack):
    place = os.path.join(folder, "journal")
    os.mkdir(place)
    journal = listen(place, stack)

    class JournalBroker(Broker):
        wrapper = in_journal(place)

    broker = JournalBroker(folder, stack, "--broker-allow-sample", "--broker-audit-journal")
    client = Client(broker)
    client.attest()
    check("a key is given", client.resource()[0] == 200)
    client.resource("default/none/one")
    entries = [fields(journal.recv(65536)) for _ in broker.audit()]
    check(
        "each line of the audit log is in the journal, too",
        [e["CASEMATE_REASON"] for e in entries] == [line["reason"] for line in broker.audit()],
        str(entries),
    )
    released = [e for e in entries if e["CASEMATE_VERDICT"] == "released"]
    check(
        "with fields to search by",
        [e["CASEMATE_KEY"] for e in released] == ["default/key/one"]
        and released[0]["SYSLOG_IDENTIFIER"] == "casemate-audit",
        str(released),
    )
    with open(broker.audit_path, encoding="utf-8") as f:
        check("the line itself is its message", released[0]["MESSAGE"] in f.read().splitlines())


def test_no_journal(folder, stack):
    place = os.path.join(folder, "nothing")
    os.mkdir(place)

    class JournalBroker(Broker):
        wrapper = in_journal(place)

        def end(self):
            check("with exit code 1", self.process.wait(30) == 1)

    try:
        JournalBroker(folder, stack, "--broker-audit-journal")
    except RuntimeError as error:
        check("without a journal it says so", "there is no journal here" in str(error), str(error))
    else:
        check("without a journal it says so", False)


TESTS = [test_journal, test_no_journal]

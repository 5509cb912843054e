"""The `wireproof` command: finds the command's file, imports only that, turns errors into exit codes."""

from __future__ import annotations

import errno
import importlib
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import click

from lab.errors import ExitCode, WireproofError

# command -> (module, one line of help). The help stands here so that `--help` imports no command.
COMMANDS: dict[str, tuple[str, str]] = {
    "arp": ("look", "Show whom the ends of links know at the other end."),
    "attack": ("attack", "Be a man in the middle of a segment, and see what the receivers do."),
    "bgp": ("bgp", "Look at BGP sessions and routes in a lab, and change them."),
    "capture": ("capture", "Copy a segment's frames to a file or a pipe, as pcapng."),
    "circuit": ("look", "Show ExpressRoute circuits: connection type, peering, links."),
    "completion": ("completion", "Print the completion script for bash, zsh or fish."),
    "device-config": ("device", "Print the configuration of a connection's on-premises device."),
    "doctor": ("doctor", "Say what this machine can do, and how to mend what it cannot."),
    "down": ("lifecycle", "Take a lab down."),
    "events": ("observe", "Follow what happens in a lab."),
    "exec": ("enter", "Run a command in a node."),
    "filters": ("look", "Show a node's packet filters, or which rule decides about a packet."),
    "impair": ("impair", "Delay, lose and corrupt frames of a segment, one way or both."),
    "keys": ("keys", "Hand the keys of a lab or a key log to other programs; take theirs."),
    "link": ("link", "Cut a link of a lab, or mend it."),
    "list": ("observe", "List the labs that run."),
    "logs": ("observe", "Show a node's log."),
    "macsec": ("macsec", "See how links are protected, and change their keys."),
    "plan": ("plan", "Print what `up` would do, and do nothing."),
    "port": ("look", "Show port pairs of ExpressRoute Direct: admin state, line protocol."),
    "prove": ("prove", "Send canaries through a lab and prove what each segment carried."),
    "replay": ("replay", "Send captured frames once more, and see what the receiver does with them."),
    "report": ("report", "Report on a lab's captures: table, HTML, JUnit, JSON."),
    "routes": ("look", "Show the routes that decide where a node's packets go."),
    "save": ("save", "Put a lab's captures, verdict and report into one archive."),
    "shell": ("enter", "Open a shell in a node."),
    "status": ("observe", "Show a lab's nodes and segments."),
    "up": ("lifecycle", "Stand a topology up."),
    "vault": ("vault", "Keep secrets as Azure Key Vault does, and see who read them."),
    "verify": ("verify", "Prove what captures carried, from octets and keys alone."),
    "vpn": ("vpn", "See and move a lab's IPsec connections."),
}

# How `--help` groups them; what is in no group comes last.
SECTIONS: dict[str, tuple[str, ...]] = {
    "A lab": ("up", "down", "list", "status", "plan", "exec", "shell", "logs", "events", "doctor"),
    "The proof": ("prove", "verify", "report", "save", "capture", "keys"),
    "What protects": ("macsec", "vpn", "vault", "device-config"),
    "The network": ("arp", "bgp", "circuit", "filters", "link", "port", "routes"),
    "What goes wrong": ("attack", "replay", "impair"),
}


# What of a machine gives out under a command: no space, memory, descriptors; nothing that a command can help.
_MACHINE = (
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG, errno.ENOMEM, errno.EMFILE, errno.ENFILE,
)  # fmt: skip


_STANDARD_ERROR = 2


class _ReaderGoneError(Exception):
    """Whoever read our output has gone."""


@contextmanager
def _told_by_its_name() -> Iterator[None]:
    """Of a broken pipe click makes exit code 1, which is a failed check's."""
    try:
        yield
    except BrokenPipeError:
        raise _ReaderGoneError from None


class LazyGroup(click.Group):
    """Knows its commands by name and imports a command's file when that command is used."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Read the command line; `--help` is printed here."""
        with _told_by_its_name():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> object:
        """Run a command."""
        with _told_by_its_name():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name every command, sorted."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's file and hand out the command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"lab.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, f"{cmd_name.replace('-', '_')}_command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is meant; for one that there is not, name the one that it resembles."""
        if not args[0].startswith("-") and args[0] not in COMMANDS:
            from difflib import get_close_matches

            alike = get_close_matches(args[0], COMMANDS, n=1)
            ctx.fail(f"No such command {args[0]!r}." + (f" Did you mean {alike[0]!r}?" if alike else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the table, importing none."""
        grouped = {name for names in SECTIONS.values() for name in names}
        rest = tuple(name for name in sorted(COMMANDS) if name not in grouped)
        for title, names in (SECTIONS | {"More": rest}).items():
            with formatter.section(title):
                formatter.write_dl([(name, COMMANDS[name][1]) for name in names])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="wireproof")
def cli() -> None:
    """Stand up an ExpressRoute path, run MACsec and IPsec across it, and prove what every wire carried.

    \b
    Exit codes: 0 proven or ok, 1 violated or a check failed, 2 unproven,
    3 bad input or usage, 4 this machine cannot do it, 70 a bug of ours.
    """  # noqa: D301 - click's sign for lines that stay as they are


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit with a code of the one table."""
    sys.exit(run(argv))


def run(argv: Sequence[str] | None = None) -> int:
    """Run one command; give its exit code. Nothing that goes wrong shows a traceback, but for a bug of ours."""
    _open_what_is_closed()
    try:
        code = _run(argv)
        sys.stdout.flush()
        return code
    except (BrokenPipeError, _ReaderGoneError):
        _write_no_more()
        return 141
    except OSError as error:
        if error.errno not in _MACHINE:
            return _bug()
        _write_no_more()
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"wireproof: {where}{error.strerror}", err=True)
        return int(ExitCode.CANNOT)
    except Exception:
        return _bug()


def _run(argv: Sequence[str] | None) -> int:
    try:
        result = cli.main(args=None if argv is None else list(argv), prog_name="wireproof", standalone_mode=False)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as usage:
        usage.show()
        return int(ExitCode.BAD_INPUT)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return 130
    except WireproofError as error:
        click.echo(f"wireproof: {error}", err=True)
        return int(error.exit_code)
    return result if isinstance(result, int) else int(ExitCode.OK)


def _open_what_is_closed() -> None:
    """Somebody may have closed standard input, output or error: nothing else may take their place."""
    while (opened := os.open(os.devnull, os.O_RDWR)) <= _STANDARD_ERROR:
        pass
    os.close(opened)
    sys.stdin = sys.stdin or open(0)  # noqa: SIM115 - for good, as the two below
    sys.stdout = sys.stdout or open(1, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w")  # noqa: SIM115


def _bug() -> int:
    click.echo("wireproof: a bug of ours; please report it with these lines:", err=True)
    click.echo(traceback.format_exc(), err=True)
    return int(ExitCode.BUG)


def _write_no_more() -> None:
    """Nobody takes our output, as after `| head`; so that nothing is written at exit either, it goes nowhere."""
    with suppress(OSError, ValueError, AttributeError):  # it may be no file, or closed
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

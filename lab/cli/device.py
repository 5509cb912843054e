"""`wireproof device-config`: the on-premises side of a connection, for a real device."""

from __future__ import annotations

import click


@click.command("device-config")
@click.argument("file")
@click.argument("connection")
@click.option("--vendor", default="strongswan", show_default=True, metavar="NAME", help="Whose words.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def device_config_command(file: str, connection: str, vendor: str, as_json: bool) -> None:
    """Print the configuration of the on-premises device of CONNECTION in the topology FILE.

    NAME is strongswan (a swanctl.conf), cisco-ios-xe or juniper (Junos set commands). The shared key is not in what is
    printed: it says in which vault that is.
    """
    from lab.cli.console import print_json
    from lab.report.device_config import device_config
    from lab.topology.find import find
    from lab.topology.load import load

    text = device_config(load(find(file)), connection, vendor)
    if as_json:
        print_json({"connection": connection, "vendor": vendor, "script": text})
    else:
        click.echo(text, nl=False)

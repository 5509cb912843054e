"""Document -> raw: keys that are unknown or missing, values of the wrong kind. All of them, not only the first.

What is wrong is reported and cut out, and the rest is read again, so that its meaning can be judged as well.
"""

from __future__ import annotations

import copy
import re
from typing import cast

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from lab.topology import raw, raw_azure, raw_bgp
from lab.topology.document import Path, Value
from lab.topology.problems import Problems, near

# The kind of a value, by pydantic's name of the error that its absence raises.
_KINDS = {
    "string_type": "text",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
}
# Which record is written at a path; `*` is any name or index.
_RECORDS: tuple[tuple[str, str, type[BaseModel]], ...] = (
    ("", "a topology", raw.RawTopology),
    ("nodes/*", "a node", raw.RawNode),
    ("nodes/*/routes/*", "a route", raw.RawRoute),
    ("nodes/*/bgp", "bgp", raw_bgp.RawBgp),
    ("nodes/*/bgp/neighbors/*", "a neighbor", raw_bgp.RawNeighbor),
    ("links/*", "a link", raw.RawLink),
    ("links/*/tag", "a tag", raw.RawTag),
    ("links/*/macsec", "macsec", raw.RawMacsec),
    ("links/*/macsec/mistakes/*", "a mistake", raw.RawMistake),
    ("links/*/impairments", "impairments", raw.RawImpairments),
    ("links/*/impairments/a_to_b", "a direction", raw.RawImpairment),
    ("links/*/impairments/b_to_a", "a direction", raw.RawImpairment),
    ("vaults/*/*", "a secret", raw.RawSecret),
    ("connections/*", "a connection", raw.RawConnection),
    ("connections/*/policy", "a policy", raw.RawIpsecPolicy),
    ("connections/*/ends/*", "an end of a connection", raw.RawConnectionEnd),
    ("connections/*/ends/*/policy", "a policy", raw.RawIpsecPolicy),
    ("expect/*", "an expectation", raw.RawExpect),
    ("azure", "azure", raw_azure.RawAzure),
    ("azure/ports/*", "a port pair", raw_azure.RawPort),
    ("azure/circuits/*", "a circuit", raw_azure.RawCircuit),
    ("azure/circuits/*/peering", "a peering", raw_azure.RawPeering),
    ("azure/virtual_networks/*", "a virtual network", raw_azure.RawNetwork),
    ("azure/virtual_networks/*/subnets/*", "a subnet", raw_azure.RawSubnet),
    ("azure/gateways/*", "a gateway", raw_azure.RawGateway),
    ("azure/local_network_gateways/*", "a local network gateway", raw_azure.RawLocalGateway),
    ("azure/connections/*", "a connection", raw_azure.RawConnection),
    ("azure/route_tables/*", "a route table", raw_azure.RawRouteTable),
    ("azure/route_tables/*/routes/*", "a user-defined route", raw_azure.RawUserRoute),
    ("azure/network_security_groups/*", "a network security group", raw_azure.RawSecurityGroup),
    ("azure/network_security_groups/*/rules/*", "a rule", raw_azure.RawFilterRule),
)

# What is cut out may leave its holder incomplete, which is then cut out in the next round, level by level.
_ROUNDS = 10


def shape(problems: Problems) -> raw.RawTopology | None:
    """Read the document as a topology, without what was wrong in it; None when nothing sensible is left."""
    data = copy.deepcopy(problems.document.data)
    cut: set[Path] = set()
    for _ in range(_ROUNDS):
        try:
            return raw.RawTopology.model_validate(data)
        except ValidationError as error:
            details = error.errors(include_url=False, include_context=False)
        for detail in details:
            path: Path = detail["loc"]
            missing = detail["type"] == "missing"
            # What is missing because it was cut out, or because it stands empty, has been reported.
            if not (missing and (path in cut or path in problems.document.lines)):
                problems.add(path, _text(path, detail))
            broken = path[:-1] if missing else path
            if not broken:
                return None
            _cut(data, broken)
            cut.add(broken)
    return None


def _cut(data: Value, path: Path) -> None:
    """Take out what stands at `path`. An item keeps its place, and a name in a mapping of names stays known."""
    holder: Value | None = data
    for step in path[:-1]:
        if isinstance(holder, dict):
            holder = holder.get(str(step))
        elif isinstance(holder, list):
            holder = holder[int(step)]
    last = path[-1]
    if isinstance(holder, list):
        holder[int(last)] = None
    elif isinstance(holder, dict) and _is_name(path):
        cast("dict[str, Value | None]", holder)[str(last)] = None
    elif isinstance(holder, dict):
        holder.pop(str(last), None)


def _is_name(path: Path) -> bool:
    if path[0] == "azure":
        return len(path) == 3 or (len(path) == 5 and path[3] in ("subnets", "routes", "rules"))
    if path[0] == "connections":
        return len(path) == 4 and path[2] == "ends"
    return path[0] in ("nodes", "vaults", "expect") and (len(path) == 2 or (path[0] == "vaults" and len(path) == 3))


def _record(path: Path) -> tuple[str, type[BaseModel], Path]:
    """The innermost record that holds `path`: what it is called, its model, and the rest of the path within it."""
    for length in range(len(path), 0, -1):
        for pattern, called, model in _RECORDS:
            steps = pattern.split("/")
            if len(steps) == length and all(s in ("*", p) for s, p in zip(steps, path[:length], strict=True)):
                return called, model, path[length:]
    return _RECORDS[0][1], _RECORDS[0][2], path


def _text(path: Path, detail: ErrorDetails) -> str:
    called, model, inner = _record(path)
    if detail["type"] == "extra_forbidden":
        return f"unknown key {str(inner[0])!r} in {called}; {near(str(inner[0]), model.model_fields)}"
    if detail["type"] == "missing":
        return f"{called} needs {str(inner[0])!r}, as in `{_example(model, str(inner[0]))}`"
    written = re.sub(r"\s+", " ", repr(detail["input"]))
    written = written if len(written) <= 40 else f"{written[:37]}..."
    kind = _KINDS.get(detail["type"], detail["msg"])
    if not inner:
        needed = [name for name, field in model.model_fields.items() if field.is_required()]
        required = ", ".join(_example(model, name) for name in needed or list(model.model_fields)[:1])
        return f"{called} must be a mapping, as in `{{{required}}}`, not {written}"
    verb = "must be" if len(inner) == 1 else "must hold"
    return f"{str(inner[0])!r} {verb} {kind}, as in `{_example(model, str(inner[0]))}`, not {written}"


def _example(model: type[BaseModel], name: str) -> str:
    examples = model.model_fields[name].examples
    return str(examples[0]) if examples else name

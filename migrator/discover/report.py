"""What was found as plain data, for scripts. Pure."""

from typing import Any

from migrator.discover.survey import Findings, Group


def document(findings: Findings) -> dict[str, Any]:
    """The groups in the order to move them, with every figure that the order comes from."""
    return {
        "requests": findings.requests,
        "aside": findings.aside,
        "unmatched": findings.unmatched,
        "groups": [_group(group) for group in findings.groups],
    }


def _group(group: Group) -> dict[str, Any]:
    facts = group.facts
    return {
        "name": group.name,
        "requests": facts.requests,
        "traffic": round(facts.traffic, 6),
        "error_rate": round(facts.errors, 6),
        "writes": round(facts.writes, 6),
        "coupling": round(facts.coupling, 6),
        "crosses_to": [
            {"group": partner.group, "crossings": partner.crossings, "lift": round(partner.lift, 2)}
            for partner in group.partners
        ],
        "shared_tables": [
            {"table": table.name, "groups": list(table.groups)} for table in group.shared_tables
        ],
        "risk": {
            "score": round(group.risk.score, 2),
            "parts": [
                {
                    "name": part.name,
                    "value": round(part.value, 6),
                    "weight": part.weight,
                    "points": round(part.points, 2),
                    "why": part.why,
                }
                for part in group.risk.parts
            ],
        },
        "routes": [
            {
                "path": route.path,
                "documented": route.documented,
                "methods": dict(sorted(route.methods.items())),
                "requests": route.requests,
                "errors": route.errors,
            }
            for route in group.routes
        ],
    }

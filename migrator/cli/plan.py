"""`migrator plan …`: check, show and compare plans. Nothing is started or changed."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from migrator.cli.options import JsonOption
from migrator.cli.output import console, print_json
from migrator.errors import InvalidInput
from migrator.plan.diff import diff
from migrator.plan.errors import PlanErrors
from migrator.plan.load import load
from migrator.plan.model import Capability, Migration, Step
from migrator.plan.schedule import steps
from migrator.plan.schema import schema
from migrator.plan.units import format_duration, format_share
from routing.table import route_of

plan_app = typer.Typer(
    help="Check, show and compare plans.", no_args_is_help=True, rich_markup_mode=None
)

PlanFile = Annotated[Path, typer.Argument(help="A plan file.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the group to the root command."""
    app.add_typer(plan_app, name="plan")


@plan_app.command()
def validate(
    files: Annotated[list[Path], typer.Argument(help="Plan files; - is standard input.")],
    as_json: JsonOption = False,
) -> None:
    """Report every problem of the plans, each with file, line and column.

    Example: migrator plan validate migration.yaml
    """
    failed: list[InvalidInput] = []
    for file in files:
        try:
            load(file)
        except InvalidInput as error:
            failed.append(error)
    if as_json:
        problems = [
            asdict(p) for error in failed if isinstance(error, PlanErrors) for p in error.problems
        ]
        problems += [{"message": str(e)} for e in failed if not isinstance(e, PlanErrors)]
        print_json({"valid": not failed, "problems": problems})
        raise typer.Exit(2 if failed else 0)
    if failed:
        hint = next((error.hint for error in failed if error.hint), None)
        raise InvalidInput("\n".join(map(str, failed)), hint=hint)
    console().print(f"{len(files)} valid plan{'' if len(files) == 1 else 's'}")


@plan_app.command()
def show(file: PlanFile, as_json: JsonOption = False) -> None:
    """Show what the plan moves, where to, and in which steps.

    Example: migrator plan show migration.yaml
    """
    plan = load(file)
    if as_json:
        document = plan.model_dump(mode="json")
        for name, capability in plan.spec.capabilities.items():
            document["spec"]["capabilities"][name]["schedule"] = [
                step.model_dump(mode="json") for step in steps(capability)
            ]
        print_json(document)
        return
    out = console()
    out.print(f"{plan.metadata.name}: {len(plan.spec.capabilities)} capabilities, "
              f"{len(plan.spec.services)} services")  # fmt: skip
    for name, capability in plan.spec.capabilities.items():
        out.print(_tree(plan, name, capability))


@plan_app.command("diff")
def show_diff(
    old: PlanFile,
    new: PlanFile,
    as_json: JsonOption = False,
    exit_code: Annotated[bool, typer.Option(help="Exit with 1 if they differ.")] = False,
) -> None:
    """Show what changes from OLD to NEW, defaults considered.

    Example: migrator plan diff --exit-code deployed.yaml migration.yaml
    """
    changes = diff(load(old), load(new))
    if as_json:
        print_json([asdict(change) for change in changes])
    else:
        for change in changes:
            mark = {"added": "+", "removed": "-", "changed": "~"}[change.kind]
            values = {
                "added": f"{change.new}",
                "removed": f"{change.old}",
                "changed": f"{change.old} -> {change.new}",
            }[change.kind]
            console().print(f"{mark} {change.path}: {values}", markup=False)
        if not changes:
            console().print("no difference")
    raise typer.Exit(1 if changes and exit_code else 0)


@plan_app.command("schema")
def show_schema() -> None:
    """Print the plan's JSON Schema, for editors.

    Example: migrator plan schema > migration.schema.json
    """
    print_json(schema())


def _tree(plan: Migration, name: str, capability: Capability) -> Tree:
    tree = Tree(Text(name, style="bold"))
    routes = Table("methods", "path", "service", "", box=None, pad_edge=False)
    for rule in capability.routes:
        conditions = route_of(rule, name, name).conditions
        routes.add_row(" ".join(rule.methods or ("any",)), rule.path, rule.service, conditions)
    tree.add(routes)
    schedule = Table("stage", "share", "hold", "least requests", "", box=None, pad_edge=False)
    for step in steps(capability):
        schedule.add_row(*_row(step))
    tree.add(schedule)
    limits = capability.analysis
    slower = ", ".join(
        f"a p{q * 100:g} {limit.max_ratio:g} times and {format_duration(limit.min_increase)} longer"
        for q, limit in limits.latency.by_quantile().items()
    )
    tree.add(
        f"rolled back if the service has {format_share(limits.error_rate.max_increase)} more "
        f"errors than the monolith, or {slower}"
    )
    return tree


def _row(step: Step) -> tuple[str, str, str, str, str]:
    return (
        step.stage.value,
        format_share(step.share),
        format_duration(step.hold),
        str(step.min_requests),
        "waits for approval" if step.approval else "",
    )

"""Play a day of a garage and say what one more station or a larger fuse would bring: `manage.py plan`."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from energy.models import Curve, Scenario
from energy.planner import HABITS, KINDS
from energy.planning import VARIANTS, curve_of, plan_of, play


class Command(BaseCommand):
    """Print the table of the planner's page (docs/load-management.md); nothing is kept."""

    help = "Play a day of a garage with the load manager's own controller; then with more stations, or a larger fuse."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the garage; shares are weights."""
        usual = Scenario(fuse_a=63)
        parser.add_argument("--fuse", dest="fuse_a", type=float, default=usual.fuse_a, help="A per line")
        parser.add_argument("--derating", dest="derating_percent", type=float, default=usual.derating_percent)
        parser.add_argument("--stations", type=int, default=usual.stations)
        parser.add_argument("--cars", type=int, default=usual.cars, help="a day")
        parser.add_argument("--building", dest="curve", choices=Curve.values, default=usual.curve)
        parser.add_argument("--peak", dest="building_peak_a", type=float, default=usual.building_peak_a, help="A")
        parser.add_argument("--seed", type=int, default=usual.seed, help="the same makes the same cars come")
        for name in (*KINDS, *HABITS):
            flag = "--" + name.replace("_", "-")
            parser.add_argument(flag, dest=name, type=int, default=getattr(usual, name), help="its share")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's interface)
        """Play each variant in turn and print its row."""
        names = [field.name for field in Scenario._meta.fields if field.name in options]
        scenario = Scenario(name="plan", **{name: options[name] for name in names})
        try:
            scenario.full_clean(exclude=["heard_at", "curve_a", "work_done", "results"])
            scenario.curve_a = curve_of(scenario)
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from None
        row = "{:18}{:>6}{:>10}{:>12}{:>12}{:>12}{:>10}{:>10}{:>12}{:>9}"
        titles = ("", "fuse A", "stations", "served kWh", "wanted kWh", "at most kWh", "full", "turned", "longest min",
                  "peak A")  # fmt: skip
        self.stdout.write(row.format(*titles))
        for variant in VARIANTS:
            found = play(plan_of(scenario, variant), variant)
            energies = [f"{found[name] / 1000:.1f}" for name in ("served_wh", "wanted_wh", "most_wh")]
            full = f"{found['full']}/{found['cars']}"
            cells = (variant.replace("_", " "), f"{found['fuse_a']:g}", found["stations"], *energies, full,
                     found["turned_away"], found["longest_wait_min"], found["peak_a"])  # fmt: skip
            self.stdout.write(row.format(*cells))

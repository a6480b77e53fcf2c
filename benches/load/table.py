"""Lines of the table of performance: what must be shown beside what is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    measure: str
    must: str
    """Such as `≤ 1.4`; several values are parted by ` / `. Empty for what is only reported."""
    values: tuple[float, ...]
    unit: str = ""
    note: str = ""

    def markdown(self) -> str:
        shown = " / ".join(number(value) for value in self.values) + (f" {self.unit}" if self.unit else "")
        must = f"{self.must} {self.unit}".strip() if self.must else "reported"
        return f"| {self.measure} | {must} | {shown} | {self.verdict()} | {self.note} |"

    def verdict(self) -> str:
        if not self.must:
            return ""
        sign, _, bounds = self.must.partition(" ")
        bounds = [float(bound.replace(" ", "")) for bound in bounds.split(" / ")]
        bounds *= len(self.values) if len(bounds) == 1 else 1
        within = {"≤": lambda value, bound: value <= bound, "≥": lambda value, bound: value >= bound}[sign]
        return "met" if all(map(within, self.values, bounds)) else "**missed**"


HEAD = "| measure | must | is | | how |\n|---|---|---|---|---|"


def skipped(measure: str, reason: str) -> str:
    return f"| {measure} | | skipped | | {reason} |"


def number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"

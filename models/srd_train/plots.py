"""Draws the curves of results.json as small PNG files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot

if TYPE_CHECKING:
    from pathlib import Path


def draw(results: dict[str, Any], out: Path) -> None:
    """Write reliability.png, tokens.png and cascade.png."""
    domain = results["domain"]
    _figure(
        out / "reliability.png", "confidence", "accuracy", lambda axes: _reliability(axes, domain)
    )
    _figure(out / "tokens.png", "tokens read", "accuracy", lambda axes: _tokens(axes, domain))
    _figure(
        out / "cascade.png",
        "share answered by the first stage",
        "points lost",
        lambda axes: _cascade(axes, domain),
    )


def _figure(path: Path, x: str, y: str, fill: Any) -> None:
    figure, axes = pyplot.subplots(figsize=(5, 3.6), dpi=90)
    fill(axes)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, metadata={"Software": None})
    pyplot.close(figure)


def _reliability(axes: Any, domain: dict[str, Any]) -> None:
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    for name in ("mmlu-pro", "prompts", "beyond 64 tokens", "beyond the window"):
        table = [row for row in domain[name]["reliability"] if row["rows"] >= 5]
        axes.plot(
            [r["confidence"] for r in table],
            [r["accuracy"] for r in table],
            marker="o",
            markersize=3,
            label=name,
        )


def _tokens(axes: Any, domain: dict[str, Any]) -> None:
    for name, result in domain.items():
        lengths = [int(n) for n in result["by_tokens"]]
        axes.plot(lengths, list(result["by_tokens"].values()), marker="o", markersize=3, label=name)
    axes.set_xscale("log", base=2)
    axes.set_xticks(lengths, [str(n) for n in lengths])


def _cascade(axes: Any, domain: dict[str, Any]) -> None:
    for name, result in domain.items():
        curve = result["cascade"]
        axes.plot(
            [r["answered"] for r in curve], [100 * r["lost"] for r in curve], marker=".", label=name
        )
    axes.axhline(0.3, color="grey", linewidth=0.8)
    axes.set_ylim(-1, 4)

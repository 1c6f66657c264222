"""What an audit found, for machines (audit.json) and for the Hugging Face hub (card.md)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from depthbias.report.audit_answer import ATTACK, LEAK, Answer
from depthbias.report.cells import cell

TASK = "unconditional-image-generation"
# The metrics of the card, of all images or of each class.
METRICS = (
    LEAK,
    "copied_share:classifier",
    "authentic_share:pixels",
    "nn_distance:pixels",
    ATTACK,
    "share_train",
    "share_corrected",
    "log_odds_shift",
    "undecidable_share",
    "precision:pixels",
    "recall:pixels",
    "kid:pixels",
)


def numbers(rows: pd.DataFrame, subject: str) -> list[dict[str, Any]]:
    """The headline rows of a subject or background: metric, class, k, value, lower, upper, n."""
    own = rows[(rows["architecture"] == subject) & rows["metric"].isin(METRICS)]
    keys = ["metric", "class", "k", "value", "lower", "upper", "n"]
    return [
        {key: row[key] for key in keys if row[key] != "" and not pd.isna(row[key])}
        for _, row in own.iterrows()
    ]


def card(
    study: str, rows: pd.DataFrame, found: Sequence[Answer], warnings: Iterable[str], version: str
) -> str:
    """A model card with a model-index block, a model for each subject.

    rows: `headline` of the summary; version: of this project.
    """
    from huggingface_hub import EvalResult
    from huggingface_hub.repocard_data import CardData, eval_results_to_model_index

    index = [
        entry
        for answer in found
        for entry in eval_results_to_model_index(
            answer.subject,
            [_result(EvalResult, study, row) for row in numbers(rows, answer.subject)],
        )
    ]
    about: dict[str, Any] = {"tags": ["depthbias", "audit"], "model-index": index}
    data = CardData(**about)
    body = "\n\n".join(_body(study, rows, found, list(warnings), version))
    return f"---\n{data.to_yaml()}\n---\n\n{body}\n"


def _result(kind: Any, study: str, row: Mapping[str, Any]) -> Any:
    about = {key: row[key] for key in ("class", "k", "lower", "upper", "n") if key in row}
    name = row["metric"] + (f" ({row['class']})" if "class" in row else "")
    return kind(
        task_type=TASK,
        dataset_type="folder",
        dataset_name=study,
        metric_type=row["metric"],
        metric_name=name,
        metric_value=float(row["value"]),
        metric_args={k: float(v) if k != "class" else v for k, v in about.items()},
    )


def _body(
    study: str, rows: pd.DataFrame, found: Sequence[Answer], warnings: list[str], version: str
) -> Iterable[str]:
    yield f"# Audit {study}"
    yield f"Made by depthbias {version}. Intervals are of 95 %."
    yield "\n".join(f"- {answer.told}" for answer in found)
    if warnings:
        yield "Read these first:"
        yield "\n".join(f"- {text}" for text in warnings)
    lines = ["| subject | metric | value [95 %] | n |", "|---|---|---:|---:|"]
    nan = float("nan")
    for answer in found:
        for row in numbers(rows, answer.subject):
            name = row["metric"] + (f" ({row['class']})" if "class" in row else "")
            whole = {"lower": nan, "upper": nan} | row
            n = f"{row['n']:g}" if "n" in row else ""
            lines.append(f"| {answer.subject} | {name} | {cell(whole, digits=4)} | {n} |")
    yield "\n".join(lines)

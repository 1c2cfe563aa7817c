"""A run: the tasks of a plan that are not on record yet, through an executor, each appended once done."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..batch.executor import Executor, Finished
from ..batch.manifest import Manifest
from ..errors import CorruptError
from ..io import write_atomic
from . import records
from .experiment import Experiment
from .published import PublishedCurve
from .records import Record
from .task import InputError, SideInputError, Task, failure, run_task

EXPERIMENT_FILE = "experiment.json"


def pending(tasks: list[Task], run: Path) -> list[Task]:
    """The tasks without a record in the run folder.

    One whose file was made by an earlier task, and of which other metrics or code that measures are all that
    is new, takes that file over. Raises CorruptError for a damaged record, and OSError.
    """
    measured = records.on_record(run)
    done = {record["key"] for record in measured}
    files = {record["encode_key"]: record for record in measured if record["file"]}
    return [
        dataclasses.replace(task, reuse=files.get(task.encode_key)) for task in tasks if task.key not in done
    ]


def execute(tasks: list[Task], executor: Executor, log: Manifest, window: int) -> Iterator[Record]:
    """Run tasks, at most ``window`` of them given to the executor at a time; append and yield their records.

    Once a picture or a side picture cannot be read, tasks that need it and are not under way are dropped, and
    it is told of once.
    """
    waiting: dict[int, Task] = {}
    unreadable: set[str] = set()
    queue = iter(tasks)
    while True:
        while len(waiting) < window:
            task = next((t for t in queue if unreadable.isdisjoint((t.image_path, t.side_path))), None)
            if task is None:
                break
            waiting[executor.submit(run_task, task)] = task
        if not waiting:
            return
        finished = executor.wait()
        task = waiting.pop(finished.task)
        record = _record(task, finished)
        log.append(_finite(record))
        path = _unread(task, record)
        if path is not None:
            if path in unreadable:
                continue
            unreadable.add(path)
        yield record


def _unread(task: Task, record: Record) -> str | None:
    """The picture that a task failed on as it could not be read, None for any other outcome."""
    kind = record.get("kind")
    if kind == InputError.__name__:
        return task.image_path
    return task.side_path if kind == SideInputError.__name__ else None


def describe_run(experiment: Experiment, run: Path, published: Sequence[PublishedCurve]) -> None:
    """Write what tables and reports need to know beside the records into the run folder."""
    run.mkdir(parents=True, exist_ok=True)
    facts = {
        "name": experiment.name,
        "description": experiment.description,
        "metrics": experiment.metrics,
        "reference": experiment.reference,
        "matched": dataclasses.asdict(experiment.matched),
        "published": [dataclasses.asdict(curve) for curve in published],
    }
    text = json.dumps(facts, indent=1, ensure_ascii=False) + "\n"
    write_atomic(run / EXPERIMENT_FILE, text.encode(), overwrite=True)


def read_description(run: Path) -> dict[str, Any]:
    """What ``describe_run`` wrote, with defaults where the folder holds records only.

    Raises CorruptError for a damaged file, and OSError.
    """
    empty: dict[str, Any] = {"name": run.name, "description": "", "metrics": [], "reference": None}
    empty |= {"published": [], "matched": {"bpp": [], "tolerance": 0.02}}
    path = run / EXPERIMENT_FILE
    if not path.exists():
        return empty
    try:
        facts = json.loads(path.read_bytes())
    except ValueError:
        facts = None
    if not isinstance(facts, dict):
        raise CorruptError(f"{path} is damaged; wyner bench run writes it again")
    return empty | facts


def _finite(record: Record) -> Record:
    """JSON has no infinities: they become null."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in record.items()}


def _record(task: Task, finished: Finished) -> Record:
    if finished.error is not None:
        return failure(task, finished.error)
    result: Record = finished.result
    return result

"""Many independent tasks: executors that run them, shards that divide them, manifests that remember them.

Nothing here knows what a task does. A task is a *function*, importable by name, and a *payload*. Its result
is small; large things are files that the function writes itself, to a temporary name first and then renamed,
so that a task that is killed and tried again leaves no half file.

    from contextlib import closing
    from wyner.batch.executor import make_executor, run

    with closing(make_executor("local", jobs=4)) as executor:
        for payload, done in run(executor, function, payloads):
            print(payload, done.result if done.error is None else done.error)

``executor``
    ``Executor``: ``submit(function, payload) -> task number``, ``wait() -> Finished``, ``close()``.
    ``make_executor(kind, jobs, ...)`` chooses among here (one job), ``local`` and ``ray``; ``run`` does all
    payloads and yields them as they finish.
``shard``
    ``Shard.parse("k/N")``; ``shard.holds(name)`` says whether a name belongs to it.
``manifest``
    JSON lines that survive being killed: ``Manifest.append``, ``read``, ``merge``.
``content``
    ``content_key`` of bytes or a file, ``task_key`` of settings and contents.
``expand``
    Files from names, folders and lists.
``pairs``
    Pictures and their side pictures from CSV.

Results are the same for any executor, number of jobs and shards, as far as the function is deterministic.
"""

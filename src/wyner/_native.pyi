# What the native core gives is described by its own docstrings; to type checkers all of it is Any.
from typing import Any

def __getattr__(name: str) -> Any: ...

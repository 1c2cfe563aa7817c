"""Files of models with other contents, as damage or another program makes them."""

import json

from wyner.nn import safetensors


def edited(data, tensors=None, card=None):
    """A model's file with these tensors and fields of its card instead of its own; None takes one out."""
    found, metadata = safetensors.read(data)
    fields = json.loads(metadata["card"]) | (card or {})
    found = {name: value for name, value in (found | (tensors or {})).items() if value is not None}
    fields = {name: value for name, value in fields.items() if value is not None}
    return safetensors.write(found, {"card": json.dumps(fields)})

"""Rate and distortion of codecs, measured on files (docs/decisions/0006-bench.md)."""

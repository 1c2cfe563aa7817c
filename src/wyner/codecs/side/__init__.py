"""Coding a picture beside a side picture that encoder and decoder both hold (docs/spec/side.md)."""

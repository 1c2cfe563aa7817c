"""PyTorch models (extra `[torch]`): the oracle of the fitting step. Only the submodules import torch."""

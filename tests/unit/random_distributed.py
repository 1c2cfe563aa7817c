"""Small distributed codecs with random weights, frozen into files."""

import torch

from wyner.nn.distributed import SideModelConfig
from wyner.nn.side_models import make_model, side_model_file


def random_side_model(kind, prior="factorised", seed=0):
    """The configuration and a model whose latents are some steps wide."""
    torch.manual_seed(seed)
    config = SideModelConfig(kind, prior, width=8, latents=10, lambda_range=(1e-3, 0.1), anchors=3)
    model = make_model(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(std=0.1)
    return config, model


def write_side_model(folder, kind, prior="factorised", without=0.1):
    """The path of the model's file in a folder."""
    config, model = random_side_model(kind, prior)
    path = folder / f"random-{kind}.safetensors"
    path.write_bytes(side_model_file(model, config, {"steps": 0, "loss": {"without": without}}))
    return path

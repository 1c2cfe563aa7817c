"""Small learned codecs with random weights, frozen into files."""

import torch

from wyner.nn.frozen import model_file
from wyner.nn.learned import LearnedCodec, ModelConfig

PRIORS = ("factorised", "gaussian", "hyperprior", "mean-scale")


def random_codec(prior, seed=0):
    """A model whose latents are some steps wide."""
    torch.manual_seed(seed)
    config = ModelConfig(prior, widths=(6, 8, 8), latents=10, hyper=4, anchors=3)
    model = LearnedCodec(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(std=0.1)
    return model


def write_model(folder, prior, seed=0):
    """The path of the model's file in a folder."""
    path = folder / f"random-{prior}.safetensors"
    path.write_bytes(model_file(random_codec(prior, seed), {"steps": 0}))
    return path

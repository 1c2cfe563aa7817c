"""Measures of how far a picture is from its original: integer arrays in, numbers out."""

from .lpips import lpips
from .ms_ssim import ms_ssim, ms_ssim_db
from .squared_error import mse, psnr
from .ssimulacra2 import ssimulacra2

__all__ = ["lpips", "ms_ssim", "ms_ssim_db", "mse", "psnr", "ssimulacra2"]

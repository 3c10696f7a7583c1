"""NeuMF and what it needs: features, sampling, model, metrics, training, serving."""

import os

from ncf_model import openblas

openblas.choose_kernels(os.environ)

"""NeuMF and what it needs: features, sampling, model, metrics, training, serving."""

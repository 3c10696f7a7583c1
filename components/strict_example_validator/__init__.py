"""StrictExampleValidator: TFX's ExampleValidator, which fails on an anomaly."""

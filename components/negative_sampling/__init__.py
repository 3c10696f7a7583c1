"""NegativeSampling: from transformed interactions to training rows and ranked lists."""

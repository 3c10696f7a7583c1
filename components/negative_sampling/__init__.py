"""NegativeSampling: turns interactions into training rows and evaluation lists."""

"""InteractionsExampleGen: reads interactions and writes one Example per user."""

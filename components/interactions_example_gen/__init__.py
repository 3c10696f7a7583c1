"""InteractionsExampleGen: from files of interactions to one Example per user."""

"""The LLM page: what providers and models do, cost and save, and one version of a model against another."""

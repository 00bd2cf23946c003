"""The catalogue of recommendations: pure rules over logged calls."""

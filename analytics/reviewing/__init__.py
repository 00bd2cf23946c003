"""Performance reviews: what is said of a period, chosen from compared figures."""

"""Detection on samples: gauges such as queue depths, judged by the univariate detector from minute to minute."""

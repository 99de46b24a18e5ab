"""Regressors on symmetry-adapted features in scikit-learn's estimator form."""

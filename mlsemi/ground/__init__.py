"""The ground state that a model predicts, and the walk back from its observables."""

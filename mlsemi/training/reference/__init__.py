"""Reference calculations with PySCF, one by one or thousands of them."""

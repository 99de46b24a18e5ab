"""The one way a kernel is compiled.

Compiled code is cached on disk beside the source; NumPy error semantics keep the loops free
of exceptions. Kernels release the GIL, so calculators in several threads run side by side. Sums may
be taken in the order that suits vector units, the same one every time.
"""

from numba import njit

kernel = njit(cache=True, error_model="numpy", nogil=True, fastmath={"reassoc", "contract"})

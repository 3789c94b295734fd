"""Array types: integers for what is counted or private, floats for what is fitted."""

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

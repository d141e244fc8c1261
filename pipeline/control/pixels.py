"""Images as arrays."""

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""(height, width, 3) in RGB, or (height, width) in grey; 0 to 255."""

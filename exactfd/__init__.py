"""Exact functional dimension, cells and ranks of ReLU networks with rational parameters."""
from exactfd.network import Network
from exactfd.geometry.complex import canonical_complex
from exactfd.dimension import functional_dimension, batch_functional_dimension
from exactfd.jacobian import jacobian

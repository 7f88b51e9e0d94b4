"""Networks of neurons: Network, State, step; ports to read and write between steps."""

from ._engine.dynamics import Network, Port, State

__all__ = ["Network", "Port", "State"]

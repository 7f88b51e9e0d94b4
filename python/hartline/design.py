"""How the next stimulus is chosen: Design, Plan, choose."""

from ._engine.design import Choice, Design, DesignSpec, LookaheadSpec, Plan, StimulusSet, ball, box, pool

__all__ = ["Choice", "Design", "DesignSpec", "LookaheadSpec", "Plan", "StimulusSet", "ball", "box", "pool"]

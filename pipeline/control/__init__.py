"""Control: the maps that annotators draw and what ControlNets and T2I-Adapters make of them; it knows nothing of
batches.
"""

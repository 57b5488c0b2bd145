"""Message sets of ISO 15118-20, one module or package a set; ``commontypes`` is part of each.

    from bench.v2g.messages.iso20 import common, commontypes, dc

Nothing is imported here, so that a session loads only the sets it speaks.
"""

"""An interpreter of the Google Cloud Workflows language.

It knows Google's language and library, and nothing of the fakes around it: it is handed a
transport that performs HTTP calls, a source of tokens, and a clock. Start reading at ``nodes``,
then ``loader``, ``compiler`` and ``machine``.
"""

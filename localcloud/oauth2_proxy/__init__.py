"""A stand-in for oauth2-proxy, which cannot be installed here: it runs where its image is asked for.

It reads the same configuration file, flags and ``OAUTH2_PROXY_`` variables, and refuses by name
what it does not know. It needs nothing but Python's own library, so that a bare image can hold it.
Behaviour as github.com/oauth2-proxy/oauth2-proxy documents it for 7.15.
"""

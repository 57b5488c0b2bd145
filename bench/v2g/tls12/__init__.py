"""TLS 1.2 with the two suites of ISO 15118-2 ([V2G2-602]), for what OpenSSL 3 has no more: static ECDH.

Only this and no more: secp256r1, AES-128-CBC with HMAC-SHA256, server authentication without verification
(`bench.pki.validate` judges the chain as for every other handshake), no resumption, no renegotiation. The
EV's side (`client`) knows both suites, so that one ClientHello can offer both as a car does; the charger's
side (`server`) knows the static one, ECDHE being what OpenSSL is there for.

Sources: RFC 5246 (TLS 1.2), RFC 8422 (elliptic curves), RFC 4492 section 2.1 (ECDH_ECDSA), RFC 5289 (the
suites), RFC 7366 (encrypt-then-MAC), RFC 7627 (extended master secret), RFC 5746 (renegotiation indication).
"""

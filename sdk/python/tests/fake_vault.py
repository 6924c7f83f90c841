# SPDX-License-Identifier: Apache-2.0
"""The ``secrets.*`` and ``keys.*`` methods in memory.

A "signature" is a keyed hash: whether Ed25519 is right is for the host's own tests, here it
matters what is sent and how the answer is read.
"""

from __future__ import annotations

import base64
import hashlib
import os
import threading


class Refusal(Exception):
    """An error as a response carries it."""

    def __init__(self, number: int, code: str, message: str, **data) -> None:
        super().__init__(message)
        self.error = {"code": number, "message": message,
                      "data": {"code": code, "retryable": False, **data}}


class FakeVault:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.secrets: dict[str, dict[int, bytes]] = {}
        self.keys: dict[str, dict[int, bytes]] = {}

    def answer(self, method: str, params: dict, body: bytes):
        area, _, verb = method.partition(".")
        with self.lock:
            return getattr(self, f"{area}_{verb}")(params, body)

    # Secrets.

    def _secret(self, name: str, version: int | None = None, **more) -> dict:
        versions = self.secrets.get(name, {})
        if not versions or version is not None and version not in versions:
            raise Refusal(-32002, "not_found.secret", f'there is no secret "{name}"')
        return {"name": name, "version": version or max(versions), "setAt": 1_700_000_000,
                "origin": "app", "versions": sorted(versions), **more}

    def secrets_get(self, params: dict, body: bytes):
        record = self._secret(params["name"], params.get("version"))
        return record, self.secrets[record["name"]][record["version"]]

    def secrets_set(self, params: dict, body: bytes):
        versions = self.secrets.setdefault(params["name"], {})
        versions[max(versions, default=0) + 1] = body
        return self._secret(params["name"]), b""

    def secrets_getOrCreate(self, params: dict, body: bytes):
        length = params["generate"].get("length", 32)
        made = params["name"] not in self.secrets
        if made:
            letter = params["generate"]["kind"][0]
            self.secrets_set(params, (letter * length).encode())
        record = self._secret(params["name"], created=made)
        return record, self.secrets[params["name"]][record["version"]]

    def secrets_list(self, params: dict, body: bytes):
        return {"secrets": [self._secret(name) for name in sorted(self.secrets)]}, b""

    def secrets_delete(self, params: dict, body: bytes):
        self._secret(params["name"])
        del self.secrets[params["name"]]
        return {}, b""

    # Keys.

    def _key(self, name: str, version: int | None = None) -> dict:
        versions = self.keys.get(name, {})
        if not versions or version is not None and version not in versions:
            raise Refusal(-32002, "not_found.key", f'there is no key "{name}"')
        version = version or max(versions)
        raw = base64.b64encode(versions[version]).decode()
        return {"name": name, "version": version, "algorithm": "Ed25519",
                "createdAt": 1_700_000_000, "canSign": version == max(versions), "raw": raw,
                "pem": f"-----BEGIN PUBLIC KEY-----\n{raw}\n-----END PUBLIC KEY-----\n",
                "jwk": {"kty": "OKP", "crv": "Ed25519", "x": raw}}

    def keys_create(self, params: dict, body: bytes):
        if params["name"] in self.keys:
            raise Refusal(-32003, "conflict.key", "there is one already")
        self.keys[params["name"]] = {1: os.urandom(32)}
        return self._key(params["name"]), b""

    def keys_rotate(self, params: dict, body: bytes):
        versions = self.keys[self._key(params["name"])["name"]]
        versions[max(versions) + 1] = os.urandom(32)
        return self._key(params["name"]), b""

    def keys_publicKey(self, params: dict, body: bytes):
        return self._key(params["name"], params.get("version")), b""

    def keys_sign(self, params: dict, body: bytes):
        key = self._key(params["name"])
        return {"version": key["version"]}, self._signature(key["raw"], body)

    def keys_verify(self, params: dict, body: bytes):
        signature, message = body[:64], body[64:]
        if "publicKey" in params:
            return {"valid": self._signature(params["publicKey"], message) == signature}, b""
        self._key(params["name"], params.get("version"))
        for version in sorted(self.keys[params["name"]]):
            wanted = params.get("version") in (None, version)
            raw = self._key(params["name"], version)["raw"]
            if wanted and self._signature(raw, message) == signature:
                return {"valid": True, "version": version}, b""
        return {"valid": False, "version": None}, b""

    def keys_list(self, params: dict, body: bytes):
        return {"keys": [self._key(name, version) for name in sorted(self.keys)
                         for version in sorted(self.keys[name])]}, b""

    def keys_delete(self, params: dict, body: bytes):
        del self.keys[self._key(params["name"])["name"]]
        return {}, b""

    @staticmethod
    def _signature(raw: str, message: bytes) -> bytes:
        return hashlib.sha512(base64.b64decode(raw) + message).digest()

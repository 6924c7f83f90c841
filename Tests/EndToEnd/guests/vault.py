# SPDX-License-Identifier: Apache-2.0
"""Keeps secrets and keys, and says whether they are as they were set.

/fill/COUNT    so many secrets of five versions each, and a key to sign with for every ten
/check/COUNT   "ok", or what is wrong
/new/NAME      sets one more and reads it back
"""

import bulkhead
from bulkhead import keys, secrets

MESSAGE = b"message"


def value(number, version):
    return f"value {number} of version {version} ".encode() * 3


def fill(count):
    for number in range(count):
        for version in range(1, 6):
            secrets.set(f"s{number}", value(number, version))
        if number % 10 == 0:
            keys.create(f"k{number}")
            secrets.set(f"signature{number}", keys.sign(f"k{number}", MESSAGE))
    return "filled"


def check(count):
    for number in range(count):
        for version in range(1, 6):
            if secrets.get(f"s{number}", version) != value(number, version):
                return f"s{number} version {version} is another"
        if number % 10 == 0:
            if not keys.verify(f"k{number}", MESSAGE, secrets.get(f"signature{number}")):
                return f"k{number} is another key"
            if not keys.verify(f"k{number}", b"now", keys.sign(f"k{number}", b"now")):
                return f"k{number} does not sign"
    return "ok"


def new(name):
    secrets.set(name, name)
    return secrets.get_text(name)


def app(environ, start):
    what, argument = environ["PATH_INFO"].strip("/").split("/")
    try:
        text = {"fill": fill, "check": check}[what](int(argument)) if what != "new" else new(argument)
    except bulkhead.HostError as error:
        text = f"{error.code}: {error}"
    start("200 OK", [("Content-Type", "text/plain")])
    return [text.encode()]


bulkhead.serve(app)

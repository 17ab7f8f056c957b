"""Identities: keys, enrolments, and what follows from them.

* `KeyPair`, `Kind`: secret keys in NATS's form, which show their public half only
* `Credentials`, `RealmFile`: what an enrolled identity holds, and what it knows of its realm
* `Enrolment`: who may speak as whom, in a realm, until when; `signed_enrolment`, `verified_enrolment`
* `Guard`: signs a node's frames, and lets in what is signed, in time and new; `GuardCounters`

Needs the extra ``security``: ``pip install 'agentbus-network[security]'``.
"""

from __future__ import annotations

from .credentials import Credentials, RealmFile
from .enrolling import Issuers, signed_enrolment, verified_enrolment
from .guard import Guard, GuardCounters
from .identity import Identity
from .keys import KeyPair, Kind, key_of, public_nkey, verified
from .model import Enrolment

__all__ = [
    "Credentials",
    "Enrolment",
    "Guard",
    "GuardCounters",
    "Identity",
    "Issuers",
    "KeyPair",
    "Kind",
    "RealmFile",
    "key_of",
    "public_nkey",
    "signed_enrolment",
    "verified",
    "verified_enrolment",
]

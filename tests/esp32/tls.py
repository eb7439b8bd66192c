"""Mosquitto with TLS, by a certificate of a CA of the test."""

from __future__ import annotations

import ipaddress
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.bridge.mosquitto import Mosquitto
from tests.e2e.conftest import free_ports

if TYPE_CHECKING:
    from pathlib import Path

LISTENER = """
listener {port} 127.0.0.1
use_username_as_clientid true
certfile {root}/server.pem
keyfile {root}/server.key
"""


class TLSMosquitto(Mosquitto):
    """Has a second listener.

    :ivar tls_port: where it is.
    :ivar ca: the certificate that devices have to know, DER.
    """

    def __init__(self, root: Path, devices: list[str], more: str = "") -> None:
        super().__init__(root, devices, more)
        (self.tls_port,) = free_ports(1)
        ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _each in range(2))
        ca = certificate("a CA", ca_key, "a CA", ca_key)
        server = certificate("a gateway", key, "a CA", ca_key)
        self.ca = ca.public_bytes(serialization.Encoding.DER)
        (root / "server.pem").write_bytes(server.public_bytes(serialization.Encoding.PEM))
        (root / "server.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        with (root / "mosquitto.conf").open("a") as config:
            config.write(LISTENER.format(port=self.tls_port, root=root))


def certificate(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: str, by: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    """Return a certificate for loopback, or one that signs if it has signed itself."""
    now = datetime.now(timezone.utc)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    return (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=key is by, path_length=None), critical=True)
        .add_extension(address, critical=False)
        .sign(by, hashes.SHA256())
    )


def named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])

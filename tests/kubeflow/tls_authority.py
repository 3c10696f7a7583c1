"""A certificate authority for tests, and the certificate that it issues for hosts."""

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Authority:
    """Writes the authority's and the hosts' certificates into a folder.

    Attributes:
        file: the authority's certificate, which a client has to trust.
        chain: the hosts' certificate and key, for a server.
    """

    def __init__(self, folder, hosts):
        self.file, self.chain = folder / "authority.pem", folder / "hosts.pem"
        key, name = ec.generate_private_key(ec.SECP256R1()), _name("authority")
        own = _certificate(name, name, key.public_key(), key, ca=True)
        self.file.write_bytes(_pem(own))
        host_key = ec.generate_private_key(ec.SECP256R1())
        other = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
        signed = _certificate(
            _name("hosts"), name, host_key.public_key(), key, ca=False, names=other
        )
        self.chain.write_bytes(
            _pem(signed)
            + host_key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )


def _certificate(subject, issuer, public, key, *, ca, names=None):
    now = datetime.datetime.now(datetime.timezone.utc)
    day = datetime.timedelta(days=1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()),
            critical=False,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
    )
    if ca:
        usage = dict.fromkeys(
            (
                *("digital_signature", "content_commitment", "key_encipherment"),
                *("data_encipherment", "key_agreement", "encipher_only"),
                "decipher_only",
            ),
            False,
        )
        usage |= {"key_cert_sign": True, "crl_sign": True}
        builder = builder.add_extension(x509.KeyUsage(**usage), critical=True)
    if names is not None:
        builder = builder.add_extension(names, critical=False)
    return builder.sign(key, hashes.SHA256())


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)

"""TLS contexts from files (RFC 8446): certificates towards users, trust towards origins."""

import logging
import ssl
import stat
from abc import ABC, abstractmethod
from functools import lru_cache
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from routing.config import ListenTls, OriginTls, ProxyConfig
from routing.errors import InvalidConfig
from routing.outcomes import Outcomes
from routing.server_names import ServerNames
from routing.watched_files import Stamp, WatchedFiles

CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2: forward secrecy and authenticated encryption alone. Those of 1.3 are all safe."""
PROTOCOLS: Final = ["http/1.1"]
"""RFC 7301."""
_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}

logger = logging.getLogger("routing.tls")


class _Renewable(ABC):
    """What files say that are replaced while it is in use."""

    def __init__(self, place: str, *files: Path | None) -> None:
        self._place = place
        self._files = WatchedFiles(path for path in files if path is not None)

    def refresh(self, outcomes: Outcomes) -> bool:
        """Take over files that have changed; as long as they are wrong, keep what there was.
        Whether anything is new."""
        if not self._files.changed():
            return False
        try:
            self._load()
        except InvalidConfig as exc:
            logger.error("tls.certificates.refused %s", exc)
            outcomes.count("tls_renewals", "refused")
            return False
        logger.warning("tls.certificates.applied %s", self._place)
        outcomes.count("tls_renewals", "applied")
        return True

    @abstractmethod
    def _load(self) -> None:
        """Read the files. Raises InvalidConfig, and then nothing has changed."""


class ServerContext(_Renewable):
    """The proxy's certificates. `context` stays the same for good: what it shows to a client is
    looked up in each handshake, so that renewed files count without a new listener."""

    _names: ServerNames[ssl.SSLContext]

    def __init__(self, tls: ListenTls) -> None:
        """Raises InvalidConfig."""
        self._tls = tls
        pairs = [path for each in tls.certificates for path in (each.certificate, each.key)]
        super().__init__("listen.tls", *pairs, tls.client_ca)
        self._load()
        self.context = self._offer()
        self.context.sni_callback = self._choose

    def _load(self) -> None:
        offers = []
        for number, certificate in enumerate(self._tls.certificates):
            place = f"{self._place}.certificates.{number}"
            names = check_pair(certificate.certificate, certificate.key, place)
            context = self._offer()
            _load_pair(context, certificate.certificate, certificate.key, place)
            offers.append((context, certificate.names or names))
        self._names = ServerNames(offers)

    def _offer(self) -> ssl.SSLContext:
        """Without a certificate. Clients are asked for theirs by the context that a handshake
        begins with, and judged by the one that it is given, so both need to know how."""
        context = _context(ssl.PROTOCOL_TLS_SERVER, self._tls.minimum)
        if self._tls.client_ca is not None:
            _load_authorities(context, self._tls.client_ca, "listen.tls.client_ca")
            required = self._tls.client_certificate == "required"
            context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
            # Who is let in is decided anew for each connection, not when a ticket was given out.
            context.options |= ssl.OP_NO_TICKET
            context.num_tickets = 0
        return context

    def _choose(self, connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
        connection.context = self._names.select(name)
        return None


class OriginContext(_Renewable):
    """What an origin must show, and what is shown to it. `context` is another one once files have
    been renewed; it counts for new connections."""

    context: ssl.SSLContext

    def __init__(self, tls: OriginTls, place: str) -> None:
        """Raises InvalidConfig naming `place`."""
        self._tls = tls
        super().__init__(place, tls.ca, tls.certificate, tls.key)
        self._load()

    def _load(self) -> None:
        self.context = _origin_context(self._tls, self._place, self._files.stamps)


@lru_cache(maxsize=256)
def _origin_context(tls: OriginTls, place: str, _: tuple[Stamp, ...]) -> ssl.SSLContext:
    """Remembered, because reading the system's authorities takes long."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT, "1.2")
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif tls.ca is None:
        context.load_default_certs()
    else:
        _load_authorities(context, tls.ca, f"{place}.ca")
    if tls.certificate is not None and tls.key is not None:
        check_pair(tls.certificate, tls.key, place)
        _load_pair(context, tls.certificate, tls.key, place)
    return context


def check_files(config: ProxyConfig) -> None:
    """Read all files that the configuration names. Raises InvalidConfig for what is wrong there."""
    if config.listen.tls is not None:
        ServerContext(config.listen.tls)
    for origin, tls in config.origin_tls.items():
        OriginContext(tls, f"origin_tls.{origin}")


def check_pair(certificate: Path, key: Path, place: str) -> tuple[str, ...]:
    """The DNS names of a certificate whose key fits. Raises InvalidConfig naming `place`."""
    where = f"{place}.certificate: {certificate}"
    try:
        leaf = x509.load_pem_x509_certificate(_read(certificate, where))
        public = leaf.public_key()
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        found = tuple(names.get_values_for_type(x509.DNSName))
    except x509.ExtensionNotFound:
        found = ()
    except (ValueError, UnsupportedAlgorithm) as exc:
        raise InvalidConfig(f"{where} is no certificate in PEM form: {exc}") from None
    where = f"{place}.key: {key}"
    _check_mode(key, where)
    try:
        private = load_pem_private_key(_read(key, where), None)
    except TypeError:
        raise InvalidConfig(f"{where} is encrypted, expected a key without a passphrase") from None
    except (ValueError, UnsupportedAlgorithm):
        # The reason is left out: it may quote the file.
        raise InvalidConfig(f"{where} is no private key in PEM form") from None
    if private.public_key() != public:
        raise InvalidConfig(
            f"{where} does not belong to the certificate {certificate}",
            hint="name the key that the certificate was made for",
        )
    return found


def _context(protocol: int, minimum: str) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = _VERSIONS[minimum]
    context.set_ciphers(CIPHERS)
    context.set_alpn_protocols(PROTOCOLS)
    context.options |= ssl.OP_NO_RENEGOTIATION
    return context


def _load_authorities(context: ssl.SSLContext, file: Path, place: str) -> None:
    try:
        context.load_verify_locations(file)
    except OSError as exc:
        raise InvalidConfig(f"{place}: {file} has no certificates: {_why(exc)}") from None


def _load_pair(context: ssl.SSLContext, certificate: Path, key: Path, place: str) -> None:
    try:
        context.load_cert_chain(certificate, key)
    except OSError as exc:
        raise InvalidConfig(f"{place}.certificate: {certificate}: {_why(exc)}") from None


def _read(path: Path, where: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise InvalidConfig(f"{where} cannot be read: {_why(exc)}") from None


def _check_mode(path: Path, where: str) -> None:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as exc:
        raise InvalidConfig(f"{where} cannot be read: {_why(exc)}") from None
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise InvalidConfig(
            f"{where} is open to others (mode {mode:04o}), expected 0600 or 0640",
            hint=f"chmod 600 {path}, or a secret volume with defaultMode 0440",
        )


def _why(exc: OSError) -> str:
    return exc.strerror or type(exc).__name__

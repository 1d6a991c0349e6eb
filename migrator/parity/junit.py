"""Parity as JUnit XML, which every CI server shows: for each capability a suite for its reads and
one for its writes, with a case for each group of differences. Pure."""

import re
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

from migrator.parity.document import Capability, Group, Report

_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(report: Report) -> bytes:
    """The document. Real differences are failures; what is open, or was never compared, is
    skipped; noise passes."""
    root = Element("testsuites", name="parity")
    for capability in report.parity:
        _suite(root, capability)
    document: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _suite(root: Element, capability: Capability) -> None:
    failed = sum(group.verdict == "real" for group in capability.groups)
    skipped = sum(group.verdict == "open" for group in capability.groups) + (
        not capability.compared
    )
    suite = SubElement(
        root,
        "testsuite",
        name=capability.title,
        tests=str(1 + len(capability.groups)),
        failures=str(failed),
        errors="0",
        skipped=str(skipped),
    )
    agreed = capability.compared - capability.different
    case = _case(suite, capability, f"{agreed} of {capability.compared} reads agree")
    if not capability.compared:
        SubElement(case, "skipped", message="no reads were compared")
    for group in capability.groups:
        case = _case(suite, capability, f"{group.path} ({group.kind})")
        if group.verdict == "real":
            text = f"{group.count} of {capability.compared} reads differ"
            failure = SubElement(case, "failure", message=_clean(text), type=_clean(group.kind))
            failure.text = _clean(_samples(group))
        elif group.verdict == "open":
            SubElement(case, "skipped", message="it is not known yet whether this is noise")


def _case(suite: Element, capability: Capability, name: str) -> Element:
    return SubElement(suite, "testcase", classname=capability.title, name=_clean(name))


def _samples(group: Group) -> str:
    return "\n".join(
        f"{each.method} {each.target}: old {each.old}, new {each.new}" for each in group.samples
    )


def _clean(text: str) -> str:
    """Without what XML 1.0 cannot say."""
    return _NOT_XML.sub("\ufffd", text)

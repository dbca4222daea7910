"""Bundles as pyd3tn encodes them, sent over MTCP. Arguments: HOST PORT DESTINATION CASE."""

import sys
import time

from pyd3tn.bundle7 import BundleProcFlag, CRCType, serialize_bundle7
from pyd3tn.mtcp import MTCPConnection

SOURCE = "dtn://pyd3tn/out"
CASES = {
    "crc32": dict(crc_type_primary=CRCType.CRC32),
    "crc16": dict(crc_type_primary=CRCType.CRC16),
    "nocrc": dict(crc_type_primary=CRCType.NONE),
    "ipn": dict(crc_type_primary=CRCType.CRC32, source_eid="ipn:9.1"),
    "blocks": dict(
        crc_type_primary=CRCType.CRC32, hop_limit=9, bundle_age=5, previous_node_eid="dtn://pyd3tn/"
    ),
}


def bundles(destination, case):
    """The bundles of a case; the payload is its name."""
    if case != "fragments":
        options = {"source_eid": SOURCE, **CASES[case]}
        return [serialize_bundle7(destination_eid=destination, payload=case.encode(), **options)]
    payload, cut, now = case.encode(), 4, int(time.time())
    parts = ((0, payload[:cut]), (cut, payload[cut:]))
    return [
        serialize_bundle7(
            SOURCE,
            destination,
            part,
            creation_timestamp=now,
            sequence_number=1,
            flags=BundleProcFlag.IS_FRAGMENT,
            fragment_offset=offset,
            total_adu_length=len(payload),
        )
        for offset, part in parts
    ]


host, port, destination, case = sys.argv[1:5]
with MTCPConnection(host, int(port)) as connection:
    for bundle in bundles(destination, case):
        connection.send_bundle(bundle)
